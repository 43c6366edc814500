# ---
# jupyter:
#   nestkit:
#     number: "09"
#     title: Troubleshooting
#     minutes: 45
#     items: [causes, repaired, quiz-first, quiz-amd, quiz-unknown]
# ---

# %% [markdown]
# # 09 Troubleshooting
#
# **45 minutes** · before: [08 Automation](08-automation.ipynb) · next: [10
# Capstone](10-capstone.ipynb)
#
# **Questions**
#
# - Something does not nest. Where do I begin?
# - Which fact tells the possible causes apart?
# - How do I repair one thing without loosening ten?
#
# **You will**
#
# - go from symptom to fact, from fact to cause, from cause to remedy;
# - look up fourteen breakages that people really met, each with the thread or page it comes from;
# - find the cause of five broken hosts, and repair one.

# %% [markdown] tags=["solution"]
# > This is the **solution** edition: all cells are filled in and were run. To work yourself,
# > open [the lesson](../09-troubleshooting.ipynb).

# %% [markdown] tags=["instructor"]
# **Timing** (45 min): the method 5 · finder 10 · five hosts 20 · repair 5 · quiz 5.
#
# **Expected answers**: in the solution edition; the check asks the hosts, so any rule that really
# fails there is right. In a class (`NESTKIT_CLASS=1`) order and names differ from learner to
# learner; the five faults are the same.
#
# **Common mistakes**: answering with the remedy instead of the fact; taking the first red line of
# the whole host instead of the line of that VM; repairing everything that could be meant. When
# somebody asks “is it this?”, ask back: *which fact would tell?*

# %%
import nestkit as nk

# %% [markdown]
# ## Symptom, fact, cause, remedy
#
# A symptom has many causes. “The inner VMs have no network” may be the port group, the switch, the
# NIC's spoofing setting, a missing NAT or the cable. Trying cures one after the other loosens
# settings that were right, and at the end nobody knows which one it was.
#
# So ask for a **fact** that tells the causes apart. Preflight is a list of such facts:
#
# | step | question | who answers |
# |---|---|---|
# | symptom | what do you see, in the words of the message? | the person |
# | fact | which setting or property decides? | the host, through preflight |
# | cause | why is it like that? | the table below, the vendor's page |
# | remedy | what is the least that must change? | the plan |

# %% [markdown]
# ## What others have met
#
# Every row comes from a thread or a vendor's page, named in the last column. Type what you see and
# press **Find**; leave the words empty to see all fourteen.

# %%
finder = nk.course.symptom_form()
finder

# %% [markdown]
# The same as a call:

# %%
nk.course.symptoms("no DHCP")

# %% [markdown]
# Two of them are worth a second look.
#
# - **The setting that succeeds and means nothing.** Windows Server 2019 on an AMD processor stores
#   *expose extensions* without complaint. The VM then does not start. Only a start, and a look from
#   inside, show the truth, and therefore `configure` verifies after the start.
# - **Versions that are compared as text.** AMD needs configuration version 9.3. As text, “10.0” is
#   less than “9.3”, and a good VM is refused. `preflight` compares them as numbers.

# %% [markdown]
# ## Your own machine
#
# Three of the cases concern the machine you sit at, where the lab would use KVM, the hypervisor of
# Linux: KVM without permission, KVM without nesting, and KVM that answers and cannot run anything.
# The lab finds out by *booting* something tiny, and if it takes the emulator instead, it says why.

# %%
local = nk.preflight.check(nk.connect("local://"))
local

# %% [markdown]
# ## Exercise: five broken hosts
#
# Five people describe what they see, each on a VM of a practice host. (`seed=` in the address makes
# these hosts of their own: nothing that you repaired in earlier lessons is repaired there.) Which
# cause would you guess from each symptom?

# %%
nk.course.broken_hosts()

# %% [markdown]
# Now ask for the fact. Connect to each host, ask preflight for the VM, and note the **id** of the
# rule that fails. Here is the first; `broken_host(2)` is the next one. A practice host starts when
# you connect to it.

# %%
one = nk.course.broken_host(1)
found = nk.preflight.check(nk.connect(one.address), vm=one.vm)
nk.course.Table(
    found.to_frame().query("level == 'fail'")[["id", "measured", "required"]],
    caption=f"What blocks {one.vm}",
)

# %% [markdown]
# Replace the `...` by your five answers, number to rule id:

# %% tags=["learner"]
causes = ...  # {1: "…", 2: "…", 3: "…", 4: "…", 5: "…"}

# %% tags=["solution"]
causes = {}
for number in range(1, 6):
    broken = nk.course.broken_host(number)
    report = nk.preflight.check(nk.connect(broken.address), vm=broken.vm)
    causes[number] = report.at("fail")[0].id
causes

# %%
nk.course.check("09.causes", causes)

# %% [markdown]
# ## Exercise: repair one
#
# One of the five followed an old guide, and has its key `vhv.enable`. Here is a plan for that VM.
# Read it: what does it change, what does it leave alone? Then apply it. Nothing else on that host
# needs to change.

# %%
old_key = nk.course.broken_host("esx-old-key")
host = nk.connect(old_key.address)
plan = nk.configure.plan(host, vm=old_key.vm)
plan

# %%
repair = nk.course.apply_form(plan, host)
repair

# %% tags=["solution"]
repair.confirm.value = True
repair.run()

# %%
nk.course.check("09.repaired", host, plan=plan)

# %% [markdown]
# To take it back: `nk.configure.rollback(repair.result, host)`. To put all practice hosts
# back to their first state: `nk.practice.reset()`, or `nestkit reset` in a terminal.

# %% tags=["solution"]
nk.configure.rollback(repair.result, host)

# %% [markdown]
# ## Quiz

# %%
quiz = nk.course.quiz("09")
quiz

# %% tags=["solution"]
quiz.asked[0].choose(0)
quiz.asked[1].choose(1)
quiz.asked[2].choose(0, 1)
right = [asked.submit() for asked in quiz.asked]
quiz

# %% [markdown]
# ## Key points
#
# - Ask for the fact, not for the remedy. One fact splits the causes.
# - A stored setting is no proof. Start it, and look from inside.
# - Repair the least that decides: one port group, one NIC, one VM.
#
# **Next:** [10 Capstone](10-capstone.ipynb)
