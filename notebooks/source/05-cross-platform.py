# ---
# jupyter:
#   nestkit:
#     number: "05"
#     title: Cross-platform and multi-layer
#     minutes: 30
#     items: [pairs, binds, quiz-works, quiz-layer, quiz-third]
# ---

# %% [markdown]
# # 05 Cross-platform and multi-layer: what runs in what?
#
# **30 minutes** · before: [03 ESXi 8](03-esxi.ipynb), [04 Hyper-V](04-hyper-v.ipynb) · next: [06
# Benchmark](06-benchmark.ipynb)
#
# **Questions**
#
# - Which hypervisor runs inside which, and who answers for it when it does not?
# - What can a nested host no longer do, and is it the host or its VMs that lose it?
# - What does a third layer cost?
#
# **You will**
#
# - look up pairs of hypervisors, and keep “works” apart from “supported”;
# - say for each limit which layer it binds;
# - read a measured third layer.

# %% [markdown] tags=["instructor"]
# **Works is not supported.** That is the one sentence to take home, and the one that is argued
# with. Let the class argue: “it has run for years in our lab” is true, and is the first column.
# The second column is what a support case is decided by.
#
# - 4 min: the two columns, and why a source stands in every row.
# - 10 min: explorer and first exercise. Expected: *class room* and *windows lab* work and are not
#   supported; *witness*, *new server* and *cloud* are supported; *old server* and *esxi on
#   hyper-v* are neither.
# - 7 min: limits. Common mistake: “no vMotion in a nested lab”. The limit binds the nested host
#   on its way between physical ones; VMs inside the nested cluster may move.
# - 6 min: the third layer. Ask for a guess before the chart is drawn. Common mistake: to take
#   the emulated factors for those of a server. Only the *shape* is worth keeping: work that
#   leaves its guest pays far more for a layer than work that stays in it.
# - 3 min: quiz.

# %% [markdown] tags=["solution"]
# > This is the **solution** edition: all cells are filled in and were run. To work yourself,
# > open [the lesson](../05-cross-platform.ipynb).

# %%
import nestkit as nk

# %% [markdown]
# ## Two columns, not one
#
# “Does Hyper-V run inside ESXi?” is two questions. **Does it work?** is answered by trying.
# **Is it supported?** is answered by a vendor, and only in writing. A matrix with one tick for
# both is worth nothing on the day something breaks. So ours has two columns, and each of its rows
# names a pair of hypervisors and who says so.
#
# In short:
#
# - **ESXi is the broader host.** It can hold a Windows Server VM in which the Hyper-V role is
#   enabled, and further ESXi. It works; support is another matter, with one exception: the
#   **vSAN Witness Appliance** is nested ESXi that VMware stands by.
# - **Hyper-V holds Hyper-V**, and Microsoft supports that, if processor and Windows Server fit
#   together.
# - **Hyper-V does not reliably hold ESXi.** An attempt may end in a purple screen (PSOD).
#
# Look up pairs here: choose, and press **Look it up**. A field on *any* leaves nothing out, so
# with all four on *any* you see the whole matrix. Below the rows stands what is lost on such a
# host; more on that in the second half of this lesson.

# %%
form = nk.course.matrix_explorer()
form

# %% tags=["solution"]
form.run()

# %% [markdown]
# The same as a call, for the pair that disappoints most people:

# %%
found = nk.course.nesting(outer="Hyper-V", inner="VMware ESXi")
nk.course.Table(found.to_frame(), caption="ESXi inside Hyper-V")

# %% [markdown]
# The words in the column *works*: **yes**; **no**; **unreliable** (it may start, do not count
# on it); **slow** (it runs, at a price). In the column *supported*, **not stated** means that we
# found no word of the vendor on it, which is neither yes nor no. The row on two layers in
# general says **as its rows above**: it is as supported as the pair that you choose. How often
# each answer is given:

# %%
matrix = nk.course.nesting().to_frame()
counted = matrix.groupby(["works", "supported"], sort=False).size().reset_index(name="rows")
nk.course.Table(counted, caption="The two answers, and how many rows give them")

# %% [markdown]
# ## Exercise: works, supported, or neither?
#
# Seven cases. For each, answer
#
# - `"supported"`: it works, and the vendor of the inner hypervisor stands by it;
# - `"works"`: it works, and nobody stands by it;
# - `"neither"`: do not plan on it;
#
# and name **who says so**: one of the sources in that row of the matrix. An answer looks like
# this:
#
# `("works", "Broadcom KB 0000000")`
#
# | case | who wants what |
# |---|---|
# | `class room` | six ESXi 8 hosts as VMs on one ESXi 8 server, for a week of training |
# | `witness` | the vSAN Witness Appliance as a VM on ESXi |
# | `windows lab` | Windows Server with Hyper-V, as a VM on ESXi |
# | `old server` | Hyper-V in a VM of a Windows Server 2019 host with an AMD processor |
# | `new server` | the same with Windows Server 2022 |
# | `esxi on hyper-v` | ESXi as a VM of a Hyper-V host |
# | `cloud` | an Azure VM that runs Hyper-V |

# %% tags=["learner"]
answers = {
    "class room": ...,  # ("works", "who says so")
    "witness": ...,
    "windows lab": ...,
    "old server": ...,
    "new server": ...,
    "esxi on hyper-v": ...,
    "cloud": ...,
}

# %% tags=["solution"]
answers = {
    "class room": ("works", "Broadcom KB 2009916"),
    "witness": ("supported", "Broadcom KB 2009916"),
    "windows lab": ("works", "Microsoft Learn: Run Hyper-V in a Virtual Machine"),
    "old server": ("neither", "NanaBox issue 17"),
    "new server": ("supported", "guide: Software Requirements (Hyper-V)"),
    "esxi on hyper-v": ("neither", "hyper-v/nested-virtualization.md"),
    "cloud": ("supported", "Microsoft Learn"),
}

# %%
nk.course.check("05.pairs", answers)

# %% [markdown]
# ## What is lost, and by whom
#
# A nested setup cannot do all that a plain one can: no **DirectPath I/O** (handing a physical
# device to a VM), no **Fault Tolerance** (running a VM twice, in step), no **live migration**.
# Such a list is only half of the truth as long as it does not say *which layer* loses it:
#
# - a limit that binds **L1** is about the nested host *as a VM of its outer host*;
# - a limit that binds **L2** is felt by the VMs inside it.
#
# So “no live migration” means that the nested host cannot be moved between physical hosts while
# it runs. It does not mean that VMs cannot move between two nested hosts: trying vMotion, which
# is VMware's live migration, and failover inside a nested cluster is one of the reasons to build
# one.

# %%
lost = nk.course.nesting().limits_frame()
lost["binds"] = lost["binds"].str.upper()
nk.course.Table(lost[["id", "what", "binds"]], caption="What is lost, and in which layer")

# %% [markdown]
# Each has a note and a source. Here are those where the guide and a vendor differ in what they
# say today, or where the layer is easily mistaken:

# %%
ids = ["esx.live-migration", "hyperv.live-migration", "hyperv.memory-resize"]
mistaken = lost[lost["id"].isin(ids)]
nk.course.Table(mistaken[["what", "note", "source"]], caption="Easily mistaken")

# %% [markdown]
# ## Exercise: which layer does it bind?
#
# Answer `"L1"`, `"L2"`, or `"none"` where nothing is lost.
#
# | case | what somebody wants |
# |---|---|
# | `graphics card` | hand a PCI device through to the nested ESXi host |
# | `fault tolerance` | protect the nested ESXi host with FT |
# | `moving the nested host` | move a running nested ESXi host to another server |
# | `moving a VM between nested hosts` | vMotion inside the nested cluster |
# | `saving the nested host` | save the state of a nested Hyper-V host, and restore it |
# | `more memory while it runs` | give a running nested Hyper-V host more memory |
# | `slow disk` | in a VM on the nested host, as many disk reads per second as in a VM on L0 |

# %% tags=["learner"]
binds = {
    "graphics card": ...,
    "fault tolerance": ...,
    "moving the nested host": ...,
    "moving a VM between nested hosts": ...,
    "saving the nested host": ...,
    "more memory while it runs": ...,
    "slow disk": ...,
}

# %% tags=["solution"]
binds = {
    "graphics card": "L1",
    "fault tolerance": "L1",
    "moving the nested host": "L1",
    "moving a VM between nested hosts": "none",
    "saving the nested host": "L1",
    "more memory while it runs": "L1",
    "slow disk": "L2",
}

# %%
nk.course.check("05.binds", binds)

# %% [markdown]
# ## How many layers?
#
# Two layers, L0 with L1 in it and L2 in that, are stable and practical on both platforms. A
# third one is possible, and slow. How slow? That need not be hearsay: nestkit can boot three VMs,
# one inside the other, and measure in each. The run below was taken so. Look first at what ran on
# what: `>` stands between a hypervisor and the one inside it, KVM is the hypervisor of Linux, and
# TCG is QEMU's emulator, which plays a processor in software. The machine below may be a VM too;
# then the last line ends with the signature of its hypervisor.

# %%
deep = nk.course.recorded_run(3)
for layer in deep.layers:
    print(f"{layer.layer}: {layer.stack}; emulated: {layer.emulated}")
print("origin:", deep.origin, "· the machine below is itself virtual:",
      deep.provenance.get("base_is_virtual", "unknown"))  # fmt: skip

# %%
figure = nk.charts.heat_map(deep)
nk.course.Picture(figure, nk.charts.alt_text(figure))

# %% [markdown]
# Each row is one kind of work, each field says how many times longer it takes there than in L1.
# A hatched field is “no measurable difference”: the measurement cannot tell it from 1. Where the
# chart says *too noisy*, most samples are flagged: other work disturbed them, or a layer waited
# for its turn on the one processor that the layers below share, as the deepest nearly always
# does. Believe a factor of ten there, and no tenths.
#
# What the *third* layer adds to the second is a ratio of its own: L3 against L2. The true value
# lies between `ratio_low` and `ratio_high`, as far as this measurement can say.

# %%
third = deep.summary("L2")
third = third[third["layer"] == "L3"]
columns = ["workload", "median", "unit", "ratio", "ratio_low", "ratio_high", "verdict"]
nk.course.Table(third[columns], caption="L3 against L2: what the third layer costs")

# %% [markdown]
# Read it by *kind of work*, not by one number. What stays in its guest, arithmetic, is the row
# to compare the others with. What leaves the guest, and a CPUID (a program asks the processor
# what it can do) always does, is first taken by the outermost hypervisor and handed inwards, from
# one to the next, until it reaches the one that runs the guest; and each step on the way may be
# an exit of its own. So the costs multiply, and that is the cliff.
#
# This lab is **emulated**. Its factors are no evidence about a server with VT-x or AMD-V, where
# the second layer costs far less to begin with. It shows the mechanism, on a machine that anybody
# has. What the kinds of work are, and how to measure them so that one may believe it, is lesson
# [06](06-benchmark.ipynb).

# %% [markdown]
# ## Quiz

# %%
quiz = nk.course.quiz("05")
quiz

# %% tags=["solution"]
quiz.asked[0].choose(1)
quiz.asked[1].choose(0, 1)
quiz.asked[2].choose(1)
right = [asked.submit() for asked in quiz.asked]
quiz

# %% [markdown]
# ## Key points
#
# - *Works* and *supported* are two columns. Name the source of the one you rely on.
# - ESXi holds Hyper-V; Hyper-V does not reliably hold ESXi. The vSAN Witness Appliance is the
#   nested ESXi that is supported.
# - Say which layer a limit binds: most bind the nested host as a VM, not the VMs in it.
# - Two layers are practical. A third multiplies the cost of every exit.
#
# **Next:** [06 Benchmark](06-benchmark.ipynb) measures what the layers cost.
