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
# fails there is right.
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
# So ask for a **fact** that splits the causes in two. Preflight is a list of such facts:
#
# | step | question | who answers |
# |---|---|---|
# | symptom | what do you see, in the words of the message? | the person |
# | fact | which setting or property decides? | the host, through `preflight` |
# | cause | why is it like that? | the table below, the vendor's page |
# | remedy | what is the least that must change? | the plan |

# %% [markdown]
# ## What others have met
#
# Every row comes from a thread or a vendor's page, named in the last column. Leave the words empty
# to see them all.

# %%
form = nk.course.symptom_form()
form

# %%
nk.course.symptoms("no DHCP")

# %% [markdown]
# Two of them are worth a second look.
#
# - **The setting that succeeds and means nothing.** Windows Server 2019 on an AMD processor stores
#   *expose extensions* without complaint. The VM then does not start. What shows the truth is a
#   start, and a look from inside: therefore `configure` verifies after the start.
# - **Versions that are compared as text.** AMD needs configuration version 9.3. As text, “10.0” is
#   less than “9.3”, and a good VM is refused. `preflight` compares them as numbers.

# %% [markdown]
# ## Your own machine
#
# Three of the cases concern the machine you sit at: KVM without permission, KVM without nesting,
# and KVM that answers and cannot run anything. The lab decides by *booting* something tiny, and
# says why it chose the emulator if it did.

# %%
local = nk.preflight.check(nk.connect("local://"))
local

# %% [markdown]
# ## Exercise: five broken hosts
#
# Five people describe what they see. Connect to each host, ask preflight for the VM, and note the
# **id** of the rule that fails. The practice hosts are started when you connect.

# %%
nk.course.broken_hosts()

# %%
host = nk.connect("practice://esx")
nk.preflight.check(host, vm="nested-esxi-03").to_frame().query("level == 'fail'")[
    ["id", "measured"]
]

# %% [markdown]
# Replace the `...` by your five answers, number to rule id:

# %% tags=["learner"]
causes = ...  # {1: "esx.…", 2: …}

# %% tags=["solution"]
causes = {}
for number, address, vm, _ in nk.course.broken_hosts().frame.itertuples(index=False):
    found = nk.preflight.check(nk.connect(address), vm=vm).at("fail")
    causes[number] = found[0].id
causes

# %%
nk.course.check("09.causes", causes)

# %% [markdown]
# ## Exercise: repair one
#
# Host 3 has the key of an old guide. Make a plan for its VM, read it, and apply it. Nothing else on
# that host needs to change.

# %%
plan = nk.configure.plan(host, vm="nested-esxi-15")
plan

# %%
form = nk.course.apply_form(plan, host)
form

# %% tags=["solution"]
form.confirm.value = True
form.run()

# %%
nk.course.check("09.repaired", host, plan=plan)

# %% [markdown]
# To put the practice host back as it was: `nestkit practice reset` in a terminal, or
# `nk.configure.rollback(form.result.journal, host)` here.

# %% [markdown]
# ## Quiz

# %%
quiz = nk.course.quiz("09")
quiz

# %% tags=["solution"]
quiz.asked[0].choose(0)
quiz.asked[1].choose(1)
quiz.asked[2].choose(0, 1)
[asked.submit() for asked in quiz.asked]

# %% [markdown]
# ## Key points
#
# - Ask for the fact, not for the remedy. One fact splits the causes.
# - A stored setting is no proof. Start it, and look from inside.
# - Repair the least that decides: one port group, one NIC, one VM.
#
# **Next:** [10 Capstone](10-capstone.ipynb)
