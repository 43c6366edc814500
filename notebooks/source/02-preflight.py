# ---
# jupyter:
#   nestkit:
#     number: "02"
#     title: Requirements and preflight
#     minutes: 40
#     items: [faults, repaired, quiz-subject, quiz-unknown, quiz-supported]
# ---

# %% [markdown]
# # 02 Requirements and preflight
#
# **40 minutes** · before: [01 Hypervisors and layers](01-layers.ipynb) · next: [03 ESXi
# 8](03-esxi.ipynb)
#
# **Questions**
#
# - What must hardware, host and virtual machine have before a hypervisor can run inside a VM?
# - How do I find out which of it is missing, without trying and failing?
# - What is only recommended, and what really blocks?
#
# **You will**
#
# - read the requirements of ESXi 8 as a table, each with its reason and source;
# - run a preflight on a host full of faults, and name the fault of each VM;
# - repair one until nothing blocks it.

# %% [markdown] tags=["solution"]
# > This is the **solution** edition: all cells are filled in and were run. To work yourself,
# > open [the lesson](../02-preflight.ipynb).

# %%
import pandas as pd

import nestkit as nk

host = nk.connect(nk.course.address(), interactive=True)
VM = "nested-esxi-01"  # on a real host: the VM that shall run ESXi

# %% [markdown]
# ## What is required
#
# The rules are data, not opinions in code. Each one says what it binds: the physical **host**,
# the **VM** that shall become a host, or one of its **NICs**. A requirement follows its
# hypervisor: if ESXi needs 8 GiB of memory, then so does a VM with ESXi in it. That last one is
# the fault seen most often.

# %%
rules = pd.DataFrame(
    [
        {
            "binds": rule.subject,
            "what": rule.title,
            "strength": rule.strength,
            "needed": rule.required,
        }
        for rule in nk.requirements.rules("esx")
    ]
)
nk.course.Table(rules, caption="Requirements of ESXi 8")

# %% [markdown]
# - **required**: without it, nesting does not work, and preflight says *fail*.
# - **recommended**: it works, and you will regret it. Preflight says *warn*.
# - **note**: good to know.
#
# Every rule knows why it exists and who says so. Here is the one people stumble over:

# %%
rule = next(rule for rule in nk.requirements.rules("esx") if rule.id == "esx.vm.memory")
print(rule.why)
print("Source:", rule.source)

# %% [markdown]
# Two places where the guide and the vendor differ, so that you are not surprised:
#
# - Nested paging (Intel EPT, AMD RVI) is often said to *improve performance*. VMware *requires*
#   it to expose hardware virtualization to a guest, so preflight blocks without it.
# - Hardware version 9 is the floor for nesting. ESXi 8 brought version 20, and an old version
#   gets a note.

# %% [markdown]
# ## Check one VM
#
# Choose a virtual machine and press **Check**. Nothing is changed; preflight only reads.

# %%
form = nk.course.preflight_form(host, vm=VM)
form

# %% [markdown]
# The same as a call. A report shows what blocks first, each line with what was found, what is
# needed, and what to do.

# %%
report = nk.preflight.check(host, vm=VM)
report

# %% [markdown]
# A finding has one of five levels. **unknown** is not a polite word for *pass*: the fact could
# not be read, and the finding says why. Unknowns are counted and shown; `nestkit preflight …
# --strict` lets them block.

# %%
print("blocked:", not report.ok)
print("unknown:", report.unknown)
report.to_frame()["level"].value_counts()

# %% [markdown]
# ## Check them all
#
# Without a name, `check` judges the host and every VM on it. As a frame it can be filtered like
# any other table. Here is one row for each VM that is blocked:

# %%
everything = nk.preflight.check(host).to_frame()
blocked = everything[everything["level"] == "fail"]
nk.course.Table(blocked[["subject", "measured", "required"]], caption="What blocks each VM")

# %% [markdown]
# ## Exercise: name the fault
#
# Each blocked VM breaks a rule. Which one? Write a dictionary from the name of the VM to the
# `id` of the rule it breaks, for **all** blocked VMs. The ids stand in the column `id` of
# `blocked`. By hand or by program, both count.

# %% tags=["learner"]
faults = ...  # {"nested-esxi-01": "esx.vm.…", …}

# %% tags=["solution"]
# The subject of a finding is "VM name" or "VM name, NIC"; several NICs may break the same rule.
names = blocked["subject"].str.removeprefix("VM ").str.partition(",")[0]
faults = {name: sorted(set(group)) for name, group in blocked["id"].groupby(names)}
faults

# %%
nk.course.check("02.faults", host, faults)

# %% [markdown]
# ## Repair one
#
# Some faults need hardware, or a decision that is yours (a larger disk, an upgrade of the
# hardware version that cannot be taken back). Others are settings, and settings can be planned,
# applied and taken back. Lesson 03 looks at that closely; here is the short form.
#
# First a plan. Making it changes nothing.

# %%
REPAIR = "nested-esxi-04"  # on a real host: one that is blocked, and that you may change
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

# %% [markdown]
# ## Your own machine
#
# Preflight also reads the machine this notebook runs on, and can judge its hardware by the rows
# for ESXi or Hyper-V. In a terminal: `nestkit preflight local:// --as esx`. What you see here
# depends on your machine. A row that fails here does not concern the course: the practice host
# needs none of it.

# %%
local = nk.preflight.check(nk.connect("local://"), as_platform="esx").to_frame()
nk.course.Table(local[["level", "id", "measured", "required"]], caption="This machine")

# %% [markdown]
# ## Works is not supported
#
# A green report says: this can work. Whether the vendor *supports* it is another question.
# VMware's officially supported case of a nested ESXi is the vSAN Witness Appliance; for
# production, nested ESXi is not supported (VMware KB 2009916). For learning, testing and
# development that is no obstacle. For anything that people depend on, it is.

# %% [markdown]
# ## Quiz

# %%
quiz = nk.course.quiz("02")
quiz

# %% tags=["solution"]
quiz.asked[0].choose(1)
quiz.asked[1].choose(1)
quiz.asked[2].choose(0, 2)
[asked.submit() for asked in quiz.asked]

# %% [markdown]
# ## Key points
#
# - A requirement binds every machine its hypervisor runs on: the physical host, and the VM.
# - *fail* blocks, *warn* and *note* do not, *unknown* is counted and says why.
# - Preflight reads and never writes. A script can stop on its exit status.
# - “Works” and “supported” are two questions.
#
# **Next:** [03 ESXi 8](03-esxi.ipynb)
