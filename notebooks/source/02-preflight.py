# ---
# jupyter:
#   nestkit:
#     number: "02"
#     title: Requirements and preflight
#     minutes: 45
#     items: [levels, faults, repaired, quiz-subject, quiz-unknown, quiz-version, quiz-supported]
# ---

# %% [markdown]
# # 02 Requirements and preflight
#
# **45 minutes** · before: [01 Hypervisors and layers](01-layers.ipynb) · next: [03 ESXi
# 8](03-esxi.ipynb)
#
# **Questions**
#
# - What must hardware, host and virtual machine have before a hypervisor can run inside a VM, on
#   ESXi and on Hyper-V?
# - How do I find out which of it is missing, without trying and failing?
# - What is only recommended, what really blocks, and what is supported?
#
# **You will**
#
# - read the requirements of both platforms side by side, each with its reason and source;
# - judge seven cases before the program does;
# - run a preflight on a host full of faults, name the fault of each VM, and repair one.

# %% [markdown] tags=["solution"]
# > This is the **solution** edition: all cells are filled in and were run. To work yourself,
# > open [the lesson](../02-preflight.ipynb).

# %% [markdown] tags=["instructor"]
# **Timing** (45 min): the two tables 9 · exercise *levels* 7 · check one, check all 7 · exercise
# *faults* 10 · repair 5 · works and supported 4 · quiz 3.
#
# **Before the class**: `nestkit reset` if the practice host was used. With a seed for each
# learner, everybody has the same faults, on other VMs: neighbours can talk about the method, and
# not copy the answer.
#
# **Cases worth telling**: a nested ESXi VM with 4 GB on a host with plenty, where the installer
# finds too little memory; a Windows Server 2019 host with an AMD processor, where the setting
# succeeds and the VM then does not start (Easy-GPU-PV issue 7, NanaBox issue 17). Ask who has a
# case of their own.

# %%
import pandas as pd

import nestkit as nk

host = nk.connect(nk.course.address(), interactive=True)
VM = nk.course.vm_for(host, "esx.vm.nested-hv")  # on a real host: write its name

# %% [markdown]
# ## What the hardware must have
#
# Here is what ESXi 8.0 and Hyper-V on Windows Server 2022 ask of the machine they run on. The
# table is made from the same rules that preflight checks, so the two cannot disagree.

# %%
hardware = pd.DataFrame(
    [
        {
            "component": rule.component,
            "platform": platform,
            "rule": f"• {rule.title}: {rule.required}",
        }
        for platform in ("esx", "hyperv")
        for rule in nk.requirements.rules(platform)
        if rule.subject == "host" and rule.component in nk.requirements.HARDWARE
    ]
)
hardware = hardware.groupby(["component", "platform"], sort=False)["rule"].agg("\n".join).unstack()
hardware = hardware.rename(columns={"esx": "VMware ESXi 8.0", "hyperv": "Hyper-V (WS2022)"})
nk.course.Table(hardware.reset_index(), caption="Hardware, side by side")

# %% [markdown]
# Three things in it are worth a second look:
#
# - **Firmware.** VT-x or AMD-V, and the no-execute bit (NX or XD; Windows calls it DEP), must be
#   *switched on* in BIOS or UEFI. A processor that can is not enough. Without them nesting does
#   not work, whatever you set above.
# - **Memory** has two numbers. ESXi: 8 GB at least, 16 GB or more recommended. Hyper-V: 4 GB at
#   least, 8 GB or more recommended. Below the first preflight blocks, below the second it only
#   warns. (The vendors write GB and mean GiB, 2³⁰ bytes; the rules say GiB.)
# - **Disk and network** differ in strictness. ESXi wants 32 GB or more on SCSI or SATA, best on
#   RAID, and a Gigabit NIC. Hyper-V takes any storage Windows supports, SSD or NVMe preferred,
#   and any Ethernet NIC.

# %% [markdown]
# ## What the software must be
#
# And these are the rules for the **VM** that shall become a host, and for its **NICs**. A
# requirement follows its hypervisor: if ESXi needs 8 GiB of memory, then so does a VM with ESXi in
# it, however large the machine below. This is easily overlooked.

# %%
software = pd.DataFrame(
    [
        {
            "platform": platform,
            "binds": r.subject,
            "what": r.title,
            "strength": r.strength,
            "needed": r.required,
        }
        for platform in ("esx", "hyperv")
        for r in nk.requirements.rules(platform)
        if r.subject != "host" or r.component == "software"
    ]
)
nk.course.Table(software, caption="Software, VM and network")

# %% [markdown]
# The column *binds* says whom the rule is for: the host, the VM, or each NIC of the VM. *strength*
# says how much hangs on it:
#
# - **required**: without it, nesting does not work, and preflight says *fail*.
# - **recommended**: it works without, but badly. Preflight says *warn*.
# - **note**: good to know. Preflight says *note*.
#
# In words, for ESXi: hardware version 9 or newer (the web client shows it as the VM's
# *compatibility*), and “Expose hardware-assisted virtualization to the guest OS” ticked. For
# Hyper-V: Windows Server 2016 or later on the host, but **2022 or later on AMD**; VM configuration
# version 8.0 or higher (`Get-VM` shows it as *Version*); **static memory**, so Dynamic Memory off.
#
# On some points the vendors say more than one usually reads:
#
# - *EPT or RVI improves performance*: true, and VMware also *requires* it to expose hardware
#   virtualization. (These are Intel's and AMD's names for *nested paging*, or SLAT: the processor
#   translates the memory addresses of a guest itself.) Preflight blocks without it.
# - *Hardware version 9*: that is the floor. ESXi 8 brought version 20; an old one gets a note.
# - *Configuration version 8.0*: on AMD it is **9.3**. Versions are compared number by number, so
#   10.0 is newer than 9.3.
# - *Dynamic Memory must be disabled*: Microsoft's page today says that memory simply stops
#   changing while Hyper-V runs inside. Preflight asks for static memory all the same.
# - *No live migration, no save and restore of a nested Hyper-V host*: the list dates from
#   previews, and Microsoft's page is silent today. Do not count on either.
#
# Every rule says why it exists, and where it comes from. *guide* in a source is the overview of
# nested virtualization that this course covers, statement by statement (`nk.course.guide_map()`
# lists them all); beside it stand the vendors' own documents.

# %%
rule = next(rule for rule in nk.requirements.rules("esx") if rule.id == "esx.vm.memory")
print(rule.why)
print("Sources:", *rule.source.split("; "), sep="\n- ")

# %% [markdown]
# ## Exercise: what will preflight say?
#
# Judge these before the program does. Write the level: `"pass"`, `"note"`, `"warn"` or `"fail"`.
# All that you need stands above. Each case is about the one thing it names.
#
# - *esxi 6 GiB*: a VM for nested ESXi with 6 GiB of memory
# - *hyper-v 6 GiB*: a VM for nested Hyper-V with 6 GiB of memory
# - *version 9*: a VM for nested ESXi with hardware version 9
# - *amd 2019*: a Windows Server 2019 host with an AMD processor
# - *amd 9.0*: on an AMD host, a VM with configuration version 9.0
# - *amd 10.0*: the same with 10.0
# - *dynamic*: a VM for nested Hyper-V with Dynamic Memory

# %% tags=["learner"]
levels = {
    "esxi 6 GiB": ...,
    "hyper-v 6 GiB": ...,
    "version 9": ...,
    "amd 2019": ...,
    "amd 9.0": ...,
    "amd 10.0": ...,
    "dynamic": ...,
}

# %% tags=["solution"]
levels = {
    "esxi 6 GiB": "fail",
    "hyper-v 6 GiB": "warn",
    "version 9": "note",
    "amd 2019": "fail",
    "amd 9.0": "fail",
    "amd 10.0": "pass",
    "dynamic": "fail",
}

# %%
nk.course.check("02.levels", levels)

# %% [markdown] tags=["instructor"]
# **Expected**: fail, warn, note, fail, fail, pass, fail. The check holds the same rules against
# made-up facts, so it cannot disagree with preflight. **Common mistakes**: *warn* for ESXi with
# 6 GiB (8 is a minimum, not a recommendation), and *fail* for 10.0, because as text “10.0” comes
# before “9.3”.

# %% [markdown]
# ## Check one VM
#
# Choose a virtual machine and press **Check**. Nothing is changed; preflight only reads.

# %%
form = nk.course.preflight_form(host, vm=VM)
form

# %% [markdown]
# The same as a call. A report shows what blocks first: what was found, what is needed, and what
# to do.

# %%
report = nk.preflight.check(host, vm=VM)
report

# %% [markdown]
# A finding has one of five levels: *pass*, *note*, *warn*, *fail*, and **unknown**. The last does
# not mean *pass*: the fact could not be read, and the finding says why. Unknowns are counted and
# shown. With `nestkit preflight … --strict` an unknown blocks too, where the rule is required.

# %%
print("blocked:", not report.ok)
print("unknown:", report.unknown)
levels_found = report.to_frame()["level"].value_counts().reset_index(name="findings")
nk.course.Table(levels_found, caption="How many findings of each level")

# %% [markdown]
# ## Check them all
#
# Without a name, `check` judges the host and every VM on it. `to_frame()` makes the report a
# table of pandas that can be filtered. Here are the rows that block, one for each fault:

# %%
everything = nk.preflight.check(host).to_frame()
blocked = everything[everything["level"] == "fail"]
nk.course.Table(blocked[["subject", "measured", "required"]], caption="What blocks each VM")

# %% [markdown]
# ## Exercise: name the fault
#
# Each blocked VM breaks a rule. Which one? Write a dictionary from the name of the VM to the
# `id` of a rule it breaks, for **all** blocked VMs. The table above leaves the ids out; they stand
# in the column `id` of `blocked`. By hand or by program, both count.

# %% tags=["learner"]
faults = ...  # {"name of a VM": "id of a rule", …}

# %% tags=["solution"]
# The subject of a finding is "VM name" or "VM name, NIC"; several NICs may break the same rule.
names = blocked["subject"].str.removeprefix("VM ").str.partition(",")[0]
faults = {name: sorted(set(group)) for name, group in blocked["id"].groupby(names)}
faults

# %%
nk.course.check("02.faults", host, faults)

# %% [markdown] tags=["instructor"]
# **Expected**: every blocked VM with one rule that it breaks; the solution shows them for the
# host without a seed. **Common mistake**: rules of the *host* instead of the VM, or a rule that
# the VM passes. Who solves it by hand has learnt as much as who writes two lines of pandas.

# %% [markdown]
# ## The same on Hyper-V
#
# Only the address changes; the rules are those of the other platform. This is a practice host
# again. It speaks what a Windows Server speaks: PowerShell, over the protocol WinRM. Lesson 04 is
# about it.

# %%
hyperv = nk.connect("practice://hyperv")
there = nk.preflight.check(hyperv).to_frame()
there = there[there["level"] == "fail"]
nk.course.Table(there[["subject", "id", "measured"]], caption="What blocks each VM on Hyper-V")

# %% [markdown]
# ## Repair one
#
# Some faults need hardware, or a decision that is yours (a larger disk, an upgrade of the
# hardware version that cannot be taken back). Others are settings, and settings can be planned,
# applied and taken back. Lesson 03 looks at that closely; here is the short form.
#
# First a plan. Making it changes nothing.

# %%
REPAIR = nk.course.vm_for(host, "esx.vm.memory")  # on a real host: one that you may change
plan = nk.configure.plan(host, vm=REPAIR)
plan

# %% [markdown]
# Read it. If you agree, tick the box and press **Apply**.

# %%
form = nk.course.apply_form(plan, host)
form

# %% tags=["solution"]
form.confirm.value = True
form.run()

# %% [markdown]
# The check runs a preflight of its own. Any way to get there counts, also by hand in the host's
# own interface.

# %%
nk.course.check("02.repaired", host, plan=plan)

# %% [markdown] tags=["instructor"]
# **Expected**: the plan gives the VM 8 GiB and reserves them, and the check passes. **Common
# mistake**: Apply without the tick. The form then says what to do; nothing has happened. Whoever
# broke the practice host: `nestkit reset`, then *Restart Kernel and Run All Cells*.

# %% [markdown]
# ## Your own machine
#
# Preflight also reads the machine this notebook runs on, and can judge its hardware by the rules
# for ESXi or Hyper-V. In a terminal: `nestkit preflight local:// --as esx`. What you see here
# depends on your machine. If something fails, the course goes on: practice hosts need none of it.

# %%
local = nk.preflight.check(nk.connect("local://"), as_platform="esx").to_frame()
nk.course.Table(local[["level", "id", "measured", "required"]], caption="This machine")

# %% [markdown]
# ## Works is not supported
#
# A report without failures says: this can work. Whether the vendor *supports* it is another
# question, with another answer:

# %%
matrix = pd.DataFrame(nk.requirements.matrix.support())
nk.course.Table(matrix[["l0", "l1", "works", "supported"]], caption="What nests in what")

# %% [markdown]
# - VMware's officially supported case of a nested ESXi is the **vSAN Witness Appliance**. All
#   other nested ESXi works, and is not supported for production (VMware KB 2009916).
# - **Cross-platform**: Hyper-V inside ESXi is possible. Microsoft gives no end-to-end support on a
#   hypervisor of another vendor. The other way round is not reliable at all. Lesson 05 has more,
#   with the source of each row.
#
# **Not for production.** Nested hosts lose speed with each layer, lose features (lesson 03), and
# mostly lose the vendor's support. For learning, testing and development that is no obstacle:
# build, break, rebuild. For anything that people depend on, it is.

# %% [markdown] tags=["instructor"]
# **Somebody may say** that it has run in their company for years. Agree: it *works*. Then ask
# whom they would call when it fails, and what support would say about the set-up.

# %% [markdown]
# ## Quiz

# %%
quiz = nk.course.quiz("02")
quiz

# %% tags=["solution"]
quiz.asked[0].choose(1)
quiz.asked[1].choose(1)
quiz.asked[2].choose(2)
quiz.asked[3].choose(0, 2)
right = [asked.submit() for asked in quiz.asked]
quiz

# %% [markdown]
# ## Key points
#
# - A requirement binds every machine its hypervisor runs on: the physical host, and the VM.
# - Both need a 64-bit processor with VT-x or AMD-V and NX, switched on in firmware. ESXi: 8 GB,
#   hardware version 9. Hyper-V: 4 GB, configuration version 8.0 (AMD: 9.3, and Windows Server
#   2022), static memory.
# - *fail* blocks, *warn* and *note* do not, *unknown* is counted and says why.
# - Preflight reads and never writes. A script can stop on its exit status (lesson 08).
# - “Works” and “supported” are two questions. Nested hosts are not for production.
#
# **Next:** [03 ESXi 8](03-esxi.ipynb)
