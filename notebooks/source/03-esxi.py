# ---
# jupyter:
#   nestkit:
#     number: "03"
#     title: ESXi 8
#     minutes: 60
#     items: [applied, traffic, rolled-back, quiz-power, quiz-network, quiz-learning, quiz-stale]
# ---

# %% [markdown]
# # 03 ESXi 8: make a VM a host
#
# **60 minutes** · before: [02 Requirements and preflight](02-preflight.ipynb) · next: [04
# Hyper-V](04-hyper-v.ipynb)
#
# **Questions**
#
# - What exactly has to change so that a VM on ESXi can run a hypervisor?
# - Why do the VMs inside it have no network, and what do *promiscuous mode*, *forged transmits*
#   and *MAC learning* do?
# - How do I change a host so that I can take it back?
#
# **You will**
#
# - make a plan, read it, and see the same plan as clicks, PowerCLI, govc and pyVmomi;
# - apply it, and let the host say whether it worked;
# - send packets as a VM inside would, see them lost, and make them pass;
# - roll back from the journal.

# %% [markdown] tags=["solution"]
# > This is the **solution** edition: all cells are filled in and were run. To work yourself,
# > open [the lesson](../03-esxi.ipynb).

# %% [markdown] tags=["instructor"]
# **Timing** (60 min): three things and the plan 12 · scripts 7 · apply 8 · a new VM 5 · network
# with its exercise 16 · take it back 6 · what is given up 3 · quiz 3.
#
# **Before the class**: `nestkit reset` where the practice host was used. If you show this on a
# real host, take one whose VM you may power off, and rehearse the rollback.
#
# **Two sentences to repeat**: the VM must be *off* to expose hardware virtualization; and *plan
# before apply*. Everything else follows.

# %%
import nestkit as nk

host = nk.connect(nk.course.address(), interactive=True)
VM = nk.course.vm_for(host, "esx.vm.nested-hv")  # on a real host: write its name
print(VM)

# %% [markdown]
# ## Three things, in the right order
#
# 1. **Expose hardware-assisted virtualization** to the guest. In the web client it is a tick
#    under *CPU*, in the API it is `nestedHVEnabled`. The VM must be **off** for it, and its
#    hardware version 9 or newer: below that the tick is grey.
# 2. **Give it what ESXi needs**: two virtual CPUs or more, 8 GiB of memory or more, and memory
#    that is reserved, so that the nested host never works with memory that L0 has swapped out.
# 3. **Let the frames of its guests pass** the port group: the part of a virtual switch that the
#    VM's network adapters (NICs) are plugged into. More on this below.
#
# Old guides write `vhv.enable = "TRUE"` or `hypervisor.cpuid.v0 = "FALSE"` into the VM's file.
# These belong to the days of ESXi 6.0 and before; today `nestedHVEnabled` is the setting, and
# preflight points out the old keys where it finds them. (Sources: VMware, *Virtual Machine
# Administration* and *Installation and Setup* for 8.0; `nk.requirements.rules("esx")` has them
# rule by rule.)

# %% [markdown]
# ## Plan
#
# A plan is made from what the host says *now*. It holds only what has to change, each step with
# its value before and after. Making one changes nothing, so press the button as often as you
# like.

# %%
form_plan = nk.course.plan_form(host, vm=VM)
form_plan

# %% [markdown]
# The same as a call, with the usual goal. The rest of the lesson goes on with this plan:

# %% tags=["slide"]
plan = nk.configure.plan(host, vm=VM, goal=nk.NestedGoal())
plan

# %% [markdown]
# Read it from the top:
#
# - It **shuts the guest down** rather than pulling the plug. PowerCLI's `Stop-VM` is the plug;
#   `Stop-VMGuest` asks politely. If the guest cannot be asked, the plan refuses, until you
#   allow it.
# - What is right already does not appear. A VM that lacks nothing gets an **empty plan**.
# - The **digest** is a fingerprint of exactly this plan. You agree to it when you apply. Apply
#   refuses a plan that was edited, or made for a host that has changed since.

# %% [markdown]
# ## The same plan, typed elsewhere
#
# You need not apply it from here. A plan can be printed as what you would click or type
# elsewhere. First as **clicks**, in the web client of the host and of vCenter:

# %%
print(plan.script("gui"))

# %% [markdown]
# As **PowerCLI**, VMware's modules for PowerShell:

# %%
print(plan.script("powercli"))

# %% [markdown]
# It is longer than the snippets one finds. Each difference has a reason:
#
# - `Stop-VM` is the plug; `Stop-VMGuest` asks the guest. A snippet that does neither fails,
#   because the VM still runs.
# - `Get-VirtualSwitch -Server …` takes a connection, not a host (that is `-VMHost`). And piping
#   *every* switch of a host into `Set-SecurityPolicy` loosens all of them. This script touches
#   the port groups that the VM uses, and no others.
# - `Get-VM`, `Stop-VM` and `Start-VM` exist in Microsoft's Hyper-V module too. With both loaded,
#   only the full name says which is meant.
# - Snippets copied from a page may have lost their line breaks, and are then one long command.
#
# As commands of **govc**, the command-line program of the open-source library govmomi, for a
# shell:

# %%
print(plan.script("govc"))

# %% [markdown]
# And in **Python**, with nothing but pyVmomi, VMware's own library:

# %%
print(plan.script("pyvmomi"))

# %% [markdown] tags=["instructor"]
# **Ask** which of the four they would hand to a colleague, and why. There is no wrong answer; the
# right one names the colleague's tools. **Common mistake**: running the script *and* the form. The
# second one finds nothing to do, which is a nice proof; show it.

# %% [markdown]
# ## Exercise: apply it
#
# Tick the box and press **Apply**. Each step is written to a **journal**, a file on your machine,
# *before* it is made, so that even a power cut leaves a record. At the end everything is read
# again from the host.

# %%
form_apply = nk.course.apply_form(plan, host)
form_apply

# %% tags=["solution"]
form_apply.confirm.value = True
form_apply.run()

# %%
nk.course.check("03.applied", host, plan=plan)

# %% [markdown] tags=["instructor"]
# **Expected**: “passed”, and below it an empty plan. **Common mistake**: the plan is made, somebody
# (or a form) changes the VM, and the old plan is applied. It is refused as *stale*: a good moment
# to say why apply reads again first.

# %% [markdown]
# Passed means that the *host* says so: a second plan is empty.

# %%
nk.configure.plan(host, vm=VM)

# %% [markdown]
# ## A new VM, and ESXi in it
#
# So far the VM was there. To begin from nothing, a plan can also **create** the VM that will host
# ESXi: of the guest type ESXi, with CPUs, reserved memory, a disk, two NICs and hardware
# virtualization exposed from the start. The installer is an ISO file that lies on a datastore
# already. Making this plan changes nothing either; you would apply it like any other.

# %%
ISO = "[datastore1] iso/VMware-VMvisor-Installer-8.0U2-22380479.x86_64.iso"  # on practice hosts
created = nk.CreateGoal(name="nested-esxi-new", networks=("Nested Trunk",), iso=ISO)
nk.configure.plan_new(host, created) if host.is_practice else "practice hosts only"

# %% [markdown]
# Then **install ESXi within the VM**: it starts from the ISO, and you answer the installer on its
# console (or a *kickstart* file holds the answers). From then on it is an ESXi host like any other,
# and its own VMs are L2. If VMware Tools run in it, the outer host can tell that the guest is
# ESXi; if not, nestkit says “unknown” and does not guess.

# %% [markdown]
# ## What the network needs
#
# A standard switch of ESXi knows the MAC address of each NIC that is plugged into it, and
# delivers by that. A nested host breaks the habit: behind *one* NIC there are many addresses.

# %%
nk.course.network_diagram("none")

# %% [markdown]
# Let us see that happen. We can ask the ESXi *inside* a VM to send packets. Once it does so as L1
# itself, from its first network interface `vmk0`. Then from a second one, `vmk1`, which has a MAC
# address of its own, as every L2 VM has. This VM is ready but for its network:

# %% tags=["slide"]
NET = nk.course.vm_for(host, "esx.nic.promiscuous")  # on a real host: one with a vmk1
nk.course.try_traffic(host, NET)

# %% [markdown]
# L1 is answered, and L2 is not. Nothing is broken and nothing reports an error: the frames are
# dropped silently. That makes the fault hard to find, for seen from L1 *the network works*.
#
# (On a real host two things more are needed: `target="…"`, an address that answers there, for this
# call and for the check below; and root's password in the nested ESXi, in the environment variable
# `NESTKIT_GUEST_PASSWORD`.)
#
# Two settings of the **port group** decide:
#
# - **Forged transmits: Accept** lets L1 send frames with a source address that is not its own.
# - **Promiscuous mode: Accept** delivers frames to L1 that are not addressed to it.

# %%
nk.course.network_diagram("promiscuous")

# %% [markdown]
# Any other VM on that port group can now listen to those frames too. So loosen only the port
# groups that nested hosts use, best ones made for them, and never the whole switch. A port group
# may **override** its switch; what counts is the *effective* policy, and that is what preflight
# and plan look at.

# %% [markdown]
# ## Exercise: let L2 through
#
# Here is a plan for it. See which port group it touches, and that the VM stays on. *inherit*
# means that the port group takes that setting from its switch.

# %% tags=["slide"]
network_plan = nk.configure.plan(host, vm=NET)
network_plan

# %% [markdown]
# Make the packets pass. Replace the `...` by a call of `nk.configure.apply`, with the plan and the
# host. Other ways count as well: a form (write `nk.course.apply_form(network_plan, host)` alone in
# a cell, so that it shows), one of the plan's scripts, or clicks. The check asks the ESXi inside
# to send packets again.

# %% tags=["learner"]
network_done = ...  # nk.configure.apply(…)

# %% tags=["solution"]
network_done = nk.configure.apply(network_plan, host, accept=network_plan.digest)

# %%
nk.course.check("03.traffic", host, plan=network_plan)

# %% [markdown] tags=["instructor"]
# **Expected**: one step, on one port group; then `vmk1` is answered. **Common mistake**: setting
# the *switch*. On this host nothing changes by that, because the port group overrides it; let them
# find out with `nk.course.try_traffic`. Somebody will ask about the third setting, *MAC address
# changes*: it matters when a guest changes the address of its *own* NIC, and L2 does not need it.

# %% [markdown]
# ## On a distributed switch: MAC learning
#
# With vCenter there is a better way. A distributed switch (version 6.6 or newer, with vSphere 6.7
# or newer) can **learn** which addresses are behind a port, as a physical switch does. Once an
# address is learnt, frames for it go to that port only, nobody else sees them, and promiscuous
# mode stays off. Forged transmits are still needed.

# %%
nk.course.network_diagram("learning")

# %% [markdown]
# A practice vCenter has such a switch. The same call plans MAC learning there, because it is the
# better choice; `nk.NestedGoal(network="promiscuous")` insists on the other. (This VM is plugged
# into a port group of ordinary VMs. With MAC learning they still see nothing of L2's frames; a port
# group of its own would be tidier all the same.)

# %%
vcenter = nk.connect("practice://vpx")
learning = nk.configure.plan(vcenter, vm="nested-esxi-10")
learning

# %% [markdown]
# Tick the box, press **Apply**, and when it is done send the packets with the cell below, now over
# the switch that learns:

# %%
form_learning = nk.course.apply_form(learning, vcenter)
form_learning

# %% tags=["solution"]
form_learning.confirm.value = True
form_learning.run()

# %%
nk.course.try_traffic(vcenter, "nested-esxi-10")

# %% [markdown]
# ## Exercise: take it back
#
# Now back to the VM of the first exercise. The journal knows what each value was, and rollback
# goes through it backwards. What somebody else has changed in the meantime is left alone and
# reported, and never overwritten.
#
# Replace the `...` by a call that takes the changes back: `nk.configure.rollback(done, host)`.
# `done` is what apply returned, and knows its journal. From another program you would give the path
# of the journal, `done.journal`. (Rather a form? Write `nk.course.rollback_form(done, host)` alone
# in a cell.)

# %% tags=["learner"]
done = form_apply.result  # what Apply returned
undone = ...

# %% tags=["solution"]
done = form_apply.result  # what Apply returned
undone = nk.configure.rollback(done, host)
undone

# %%
nk.course.check("03.rolled-back", host, plan=plan, done=done, undone=undone)

# %% [markdown]
# A guest in which VMware Tools do not run cannot be asked to shut down. If rollback says so, it is
# your choice to pull the plug: `nk.configure.rollback(…, hard_power_off=True)`. If the kernel was
# restarted after the apply, `form_apply.result` is empty; the check then names the journal.

# %% [markdown] tags=["instructor"]
# **Expected**: `undone = nk.configure.rollback(done, host)`. The check compares the plan made now
# with the first one. **Common mistake**: running the cell before the apply; both the call and the
# check say so. The port group of the exercise above is not touched: each journal takes back its own
# steps only.

# %% [markdown]
# ## What a nested host gives up
#
# A nested host cannot be given a physical device (DirectPath I/O), cannot be protected by
# Fault Tolerance, and cannot be moved to another host while it runs. This binds the nested host
# itself, L1. Its own VMs can move from one nested host to another: that is what nested clusters
# are for (lesson 07). Lesson 05 has these limits with their sources.

# %% [markdown]
# ## Quiz

# %%
quiz = nk.course.quiz("03")
quiz

# %% tags=["solution"]
quiz.asked[0].choose(0)
quiz.asked[1].choose(0, 1)
quiz.asked[2].choose(0)
quiz.asked[3].choose(1)
right = [asked.submit() for asked in quiz.asked]
quiz

# %% [markdown]
# ## Key points
#
# - The order: VM off, hardware virtualization exposed, enough CPU and reserved memory, port group,
#   VM on.
# - Forged transmits let the frames of L2 out, promiscuous mode lets them in. On a distributed
#   switch MAC learning takes the place of promiscuous mode.
# - Loosen one port group, never the whole switch; the effective policy counts.
# - Plan, read, apply, verify, and the journal to take it back. An empty plan is the proof.
#
# **Next:** [04 Hyper-V](04-hyper-v.ipynb)
