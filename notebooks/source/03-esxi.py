# ---
# jupyter:
#   nestkit:
#     number: "03"
#     title: ESXi 8
#     minutes: 50
#     items: [applied, rolled-back, quiz-power, quiz-network, quiz-stale]
# ---

# %% [markdown]
# # 03 ESXi 8: make a VM a host
#
# **50 minutes** · before: [02 Requirements and preflight](02-preflight.ipynb) · next: [06
# Benchmark](06-benchmark.ipynb)
#
# **Questions**
#
# - What exactly has to change so that a VM on ESXi can run a hypervisor?
# - Why do the VMs inside it have no network, and what do *promiscuous mode* and *forged
#   transmits* do?
# - How do I change a host so that I can take it back?
#
# **You will**
#
# - make a plan, read it, and see the same plan as PowerCLI, pyVmomi, and clicks;
# - apply it, and let the host say whether it worked;
# - roll it back from the journal.

# %% [markdown] tags=["solution"]
# > This is the **solution** edition: all cells are filled in and were run. To work yourself,
# > open [the lesson](../03-esxi.ipynb).

# %%
import nestkit as nk

host = nk.connect(nk.course.address(), interactive=True)
VM = "nested-esxi-01"  # on a real host: the VM that shall run ESXi

# %% [markdown]
# ## Three things, in the right order
#
# 1. **Expose hardware-assisted virtualization** to the guest. In the web client it is a tick
#    under *CPU*, in the API it is `nestedHVEnabled`. The VM must be **off** for it.
# 2. **Give it what ESXi needs**: two virtual CPUs or more, 8 GiB of memory or more, and memory
#    that is reserved, so that the nested host never works with memory that L0 has swapped out.
# 3. **Let the frames of its guests pass** the port group. More on this below.
#
# Old guides add `vhv.enable` or `hypervisor.cpuid.v0` to the VM's file. These belong to the
# days of ESXi 6.0; today `nestedHVEnabled` is the setting.

# %% [markdown]
# ## Plan
#
# A plan is made from what the host says *now*. It holds only what has to change, each step with
# its value before and after. Making one changes nothing, so press the button as often as you
# like.

# %%
form = nk.course.plan_form(host, vm=VM)
form

# %% [markdown]
# The same as a call, with the usual goal:

# %%
plan = nk.configure.plan(host, vm=VM, goal=nk.NestedGoal())
plan

# %% [markdown]
# Read it from the top:
#
# - It **shuts the guest down** rather than pulling the plug. PowerCLI's `Stop-VM` is the plug;
#   `Stop-VMGuest` asks politely. If the guest cannot be asked, the plan refuses, until you
#   allow it.
# - What is right already does not appear. A VM that lacks nothing gets an **empty plan**.
# - The **digest** names exactly this plan. Apply wants it back from you, and refuses a plan
#   that was edited, or made for a host that has changed since.

# %% [markdown]
# ## The same plan, typed elsewhere
#
# You need not apply it from here. A plan can be printed as what you would type, or click,
# elsewhere.

# %%
print(plan.script("powercli"))

# %% [markdown]
# As clicks in the host's web client:

# %%
print(plan.script("gui"))

# %% [markdown]
# And in Python, with nothing but pyVmomi:

# %%
print(plan.script("pyvmomi"))

# %% [markdown]
# ## What the network needs
#
# A standard switch of ESXi knows the MAC address of each NIC that is plugged into it, and
# delivers by that. A nested host breaks the habit: behind *one* NIC there are many addresses.

# %%
nk.course.network_diagram()

# %% [markdown]
# - **Forged transmits: Accept** lets L1 send frames with a source address that is not its own.
# - **Promiscuous mode: Accept** delivers frames to L1 that are not addressed to it. Every VM on
#   that port group gets to see them, so loosen the port groups that nested hosts use, and no
#   others. Old snippets loosen every switch of the host.
# - A port group may **override** its switch. What counts is the effective policy, and that is
#   what preflight and plan look at.
# - On a distributed switch (6.6 or newer) **MAC learning** does it better: the switch learns
#   the addresses, and nobody else sees the traffic. It needs vCenter.
#
# Here is a VM whose network is its only fault. Look at which port group the plan touches, and
# that the VM may stay on for it:

# %%
nk.configure.plan(host, vm="nested-esxi-11") if host.is_practice else "practice hosts only"

# %% [markdown]
# ## Exercise: apply it
#
# Tick the box and press **Apply**. Each step is written to a journal *before* it is made, so
# that even a power cut leaves a record. At the end everything is read again from the host.

# %%
form = nk.course.apply_form(plan, host)
form

# %% tags=["solution"]
form.confirm.value = True
form.run()

# %%
nk.course.check("03.applied", host, plan=plan)

# %% [markdown]
# Passed means that the *host* says so: a second plan is empty.

# %%
nk.configure.plan(host, vm=VM)

# %% [markdown]
# ## Then install ESXi in it
#
# The VM is ready; it still has to become a host. Choose an ESXi guest type, attach the
# installer ISO from a datastore, and start it. From then on it is an ESXi host like any other,
# and its own VMs are L2. If the VM has VMware Tools, the host can tell that ESXi runs in it; if
# not, preflight says “unknown”.

# %% [markdown]
# ## Exercise: take it back
#
# The journal knows what each value was. Rollback goes through it backwards. What somebody else
# has changed in the meantime is left alone and reported, and never overwritten.
#
# Replace the `...` by a call that takes the changes back. `form.result` holds what apply
# returned, and its `.journal` is what `nk.configure.rollback(journal, host)` wants. (Rather a
# form? `nk.course.rollback_form(done, host)`.)

# %% tags=["learner"]
done = form.result
undone = ...

# %% tags=["solution"]
done = form.result
undone = nk.configure.rollback(done.journal, host)
undone

# %%
nk.course.check("03.rolled-back", host, plan=plan, done=done, undone=undone)

# %% [markdown]
# A guest that has no ESXi and no VMware Tools yet cannot be asked to shut down. If rollback
# says so, it is your choice to pull the plug: `hard_power_off=True`.

# %% [markdown]
# ## What a nested host gives up
#
# A nested host cannot be handed a physical device (DirectPath I/O), cannot be protected by
# Fault Tolerance, and cannot be moved to another host while it runs. This binds the nested host
# itself, L1. Its own VMs can well move from one nested host to another: that is what nested
# clusters are for.

# %% [markdown]
# ## Quiz

# %%
quiz = nk.course.quiz("03")
quiz

# %% tags=["solution"]
quiz.asked[0].choose(0)
quiz.asked[1].choose(0, 1)
quiz.asked[2].choose(1)
[asked.submit() for asked in quiz.asked]

# %% [markdown]
# ## Key points
#
# - Off, expose hardware virtualization, enough CPU and reserved memory, port group, on.
# - Forged transmits let the frames of L2 out, promiscuous mode lets them in. MAC learning is
#   better where there is a distributed switch.
# - Plan, read, apply, verify, and the journal to take it back. An empty plan is the proof.
#
# **Next:** [06 Benchmark](06-benchmark.ipynb)
