# ---
# jupyter:
#   nestkit:
#     number: "06"
#     title: Benchmark
#     minutes: 60
#     items: [rows, overhead, third-layer, paging, quiz-exits, quiz-tcg, quiz-interval,
#       quiz-blocks, quiz-paging]
# ---

# %% [markdown]
# # 06 Benchmark: what does each layer cost?
#
# **60 minutes** · before: [05 Cross-platform and multi-layer](05-cross-platform.ipynb) · next: [07
# Use cases](07-use-cases.ipynb)
#
# **Questions**
#
# - How much slower is a VM inside a VM, and one more inside that?
# - Why is the honest answer “that depends on what it does”?
# - What do EPT and RVI save?
# - How do I measure all this so that I would believe the figures myself?
#
# **You will**
#
# - run a benchmark by a form: played back from a recording, or on this machine;
# - read charts of slowdowns with intervals, and say what they do not show;
# - compute overheads from raw samples, to within 1 %: of a second layer, and of a third;
# - find out which work nested paging spares, and where nothing may be claimed.

# %% [markdown] tags=["instructor"]
# **Timing** (60 min): exits 7 · what disturbs a measurement 6 · form and provenance 7 · charts 10
# · the two exercises 10 · CPU, memory, I/O 4 · third layer 5 · nested paging 5 · published 2 ·
# quiz 4.
#
# **In a class leave the form on replay.** Labs on one machine take turns, and a class that
# boots thirty of them waits for the last one until tomorrow. One person may show a boot on the
# projector: `this machine`, two VMs.
#
# **Three things that go wrong in every class**
#
# - *Warm-up.* Somebody forgets to leave it out, gets a ratio a few per cent off, and the check
#   says so. Ask what a first round does that later ones do not: fill caches, load the tool.
# - *Noise.* “My interval is wide.” Good: it tells the truth. Do not let anybody take rounds
#   until it is narrow; let them say what they would do to the *machine* instead.
# - *Clocks.* A guest that was not running did not see that time pass. Ask who measured a second:
#   the guest, or the machine below?
#
# **The figure that is asked for**: “so how much slower is it, in one number?” Refuse, kindly, and
# ask back: slower at what?

# %% [markdown] tags=["solution"]
# > This is the **solution** edition: all cells are filled in and were run. To work yourself,
# > open [the lesson](../06-benchmark.ipynb).

# %%
import textwrap

import pandas as pd

import nestkit as nk

# %% [markdown]
# ## It is the exits
#
# With hardware virtualization a guest runs on the processor itself, at full speed, until it
# does something that its hypervisor must see: it asks the processor what it is (the instruction
# CPUID), touches a device, waits for a timer. Then the processor **leaves the guest**. That is an
# *exit*.
#
# One layer further in, an exit costs much more. The processor knows only one hypervisor, L0. So
# an exit of L2 goes to L0 first, which hands it to L1; L1 handles it, and each thing it does
# for that may be an exit of its own; then the way back.
#
# That is why one number per layer misleads. Others measured it on hardware; these are their
# figures, with who, when, and on what:

# %%
named = ["VM exit round trip: CPUID", "VM exit round trip: PIO", "getpid syscall"]
pvm = [f for f in nk.benchmark.published_figures() if f.source.startswith("PVM")]
table = pd.DataFrame([f for f in pvm if f.workload in named and f.layer in ("L1", "L2")])
table = table.pivot(index="workload", columns="layer", values="value").loc[named]
table["L2 over L1"] = table["L2"] / table["L1"]
nk.course.Table(table.reset_index(), caption=f"Microseconds per operation, {pvm[0].label}")

# %% [markdown]
# The first two leave the guest each time. The last one, a system call, goes to the guest's own
# kernel and stays inside. So we measure several kinds of work: some that stay in the guest, as
# controls, and some that leave it.

# %%
kinds = [nk.benchmark.WORKLOADS[name] for name in nk.benchmark.SUITES["quick"].workloads]
kinds = pd.DataFrame([{"workload": k.title, "unit": k.unit, "what it shows": k.why} for k in kinds])
nk.course.Table(kinds, caption="Kinds of work")

# %% [markdown]
# ## What disturbs a measurement
#
# A machine is never as quiet as one hopes. Each of the four below can make a layer look dear
# that is not, so each has an answer built into the benchmark:
#
# - **Warm-up.** The first round loads tools and fills caches. It is kept, marked, and not counted.
# - **Noise.** Other work takes the processor, now and then. So there are *rounds*, not blocks:
#   each round runs every layer once, in random order, and a busy minute hits all of them. And
#   there are *pairs*: the slowdown is the median of the ratios within each round, with its exact
#   interval.
# - **Clocks.** A guest that does not run does not see time pass. Two clocks are read, the guest's
#   and this machine's, and a sample is flagged where they differ by more than 1 %.
# - **Steal.** The hypervisor below gave the processor to somebody else. It is read before and
#   after; above 1 % the sample is flagged. No steal proves nothing, so a fixed piece of work, the
#   *canary*, runs each round on the machine below.
#
# And one that disturbs the *measurer*: who stops when the result looks good has decided the
# result. The **number of rounds is fixed beforehand**.

# %% [markdown]
# ## Run it
#
# Press **Measure**. As it stands, the form **plays a recorded lab back**: every word that the
# tools said goes through the same parsers and rules again, in seconds.
#
# To measure *this machine*, choose so in the first field. Then the form boots real virtual
# machines one inside the other, runs the workloads in each, and powers all of them off. The
# first time it builds a small image from your distribution's packages. On a machine without
# usable hardware virtualization it *emulates* a processor (TCG): that is slow, real, and no
# evidence about hardware. The estimated time is shown before the first sample.

# %%
form = nk.course.benchmark_form()
form

# %% [markdown]
# The exercises need two layers at least, L1 and L2. Where the form was not used, or was stopped
# halfway, the lesson goes on with the recorded run.

# %%
taken = form.result
whole = isinstance(taken, nk.Run) and taken.status == "complete" and len(taken.layers) > 2
run = taken if whole else nk.course.recorded_run(2)
run

# %% [markdown]
# ## Who measured what, on what?
#
# A figure without its circumstances is a rumour. Every run carries them. Look at **how each
# layer's processor is provided** before anything else:

# %% tags=["slide"]
for layer in run.layers:
    print(f"{layer.layer}: {layer.stack}; emulated: {layer.emulated}; {layer.cpu_model}")
print("origin:", run.origin, "· rounds:", run.rounds, "· seed:", run.seed)
for note in run.notes:
    print("note:", note)

# %% [markdown]
# If a layer is **emulated**, keep three things in mind. The ratios say what the layers cost *on
# an emulated machine*. An emulator turns the usual picture round: to it CPUID is cheap and
# arithmetic is dear. And so the baseline is L1, the first emulated layer, and not this machine
# itself.
#
# A run may also say of itself that the **machine was too noisy**. It is kept, and it is honest:
# the intervals are wide. A ratio of hundreds survives that; a ratio near 1 does not.

# %% [markdown]
# ## The chart of slowdowns
#
# Each dot is the median slowdown of one workload in one layer, each bar its interval; 1 is the
# baseline. The axis is logarithmic: the same distance is the same factor. A hollow dot says “no
# measurable difference”.

# %%
figure = nk.charts.slowdown(run)
nk.course.Picture(figure, nk.charts.alt_text(figure))

# %% [markdown]
# The same in words, for those who cannot see it, and for your report:

# %%
print(textwrap.fill(nk.charts.alt_text(figure), width=96))

# %% [markdown]
# As a map, when there are many workloads and layers. The median itself stands below each ratio:

# %%
figure = nk.charts.heat_map(run)
nk.course.Picture(figure, nk.charts.alt_text(figure))

# %% [markdown]
# And as a table. A ratio never stands alone: the absolute median is beside it, and where the
# interval contains 1 the verdict is “no measurable difference”.

# %%
columns = ["workload", "layer", "median", "unit"]
columns += ["ratio", "ratio_low", "ratio_high", "verdict"]
nk.course.Table(run.summary()[columns], caption="What each layer costs")

# %% [markdown]
# A ratio hides how much time is at stake. This one shows what a layer *adds* to a single
# operation: a tenfold slowdown of something tiny may matter less than a fifth more of something
# large.

# %%
figure = nk.charts.waterfall(run)
nk.course.Picture(figure, nk.charts.alt_text(figure))

# %% [markdown]
# ## Was the machine quiet?
#
# Before you believe any of it, look at the samples in the order in which they were taken. Hollow
# ones are flagged; the grey line is the canary. A drift, a step, or one layer that wanders
# alone: that is what to look for.

# %%
figure = nk.charts.time_order(run)
nk.course.Picture(figure, nk.charts.alt_text(figure))

# %%
frame = run.to_frame()
counted = frame[~frame["warmup"]]
clocks = (counted["guest_s"] / counted["host_s"] - 1).abs()
flags = counted["reason"].str.split("; ").explode().str.split().str[0]
print(f"{len(counted)} samples count; {(counted['reason'] != '').sum()} of them are flagged")
print(f"the two clocks differ by {clocks.median():.2%} (median)")
flags = flags[flags.fillna("") != ""].value_counts()
nk.course.Table(flags.rename_axis("flag").reset_index(name="samples"), caption="Flags by kind")

# %% [markdown] tags=["instructor"]
# **Expected**: in a nested lab the inner guest often reports steal, because its virtual CPU
# shares the processor with the emulation of its own devices. That is a flag, not a fault; no
# sample is dropped for it. Ask: which of the workloads above would change their verdict if the
# flagged samples were thrown away, and who would decide which ones? (Nobody may, after having
# seen the result.)

# %% [markdown]
# ## Exercise: the rows that count
#
# `run.to_frame()` has one row a sample. Take those of the workload `exit` in L1 and L2 that
# **count**: no warm-up, and valid. Keep all columns.

# %%
first = frame[["round", "layer", "workload", "value", "unit", "warmup", "valid"]].head(6)
nk.course.Table(first, caption="The first six samples")

# %% tags=["learner"]
rows = ...

# %% tags=["solution"]
rows = frame[
    (frame["workload"] == "exit")
    & frame["layer"].isin(["L1", "L2"])
    & ~frame["warmup"]
    & frame["valid"]
]
len(rows)

# %%
nk.course.check("06.rows", run, rows, workload="exit", layers=("L1", "L2"))

# %% [markdown]
# ## Exercise: the overhead
#
# How many times longer does an exit take in L2 than in L1? Pair the rounds: one column a layer,
# one row a round, divide, and take the median. (`rows.pivot` helps.) Within 1 % counts.

# %% tags=["learner"]
overhead = ...

# %% tags=["solution"]
pairs = rows.pivot(index="round", columns="layer", values="value")
overhead = (pairs["L2"] / pairs["L1"]).median()
round(float(overhead), 2)

# %%
nk.course.check("06.overhead", run, overhead, workload="exit", layer="L2", baseline="L1")

# %% [markdown]
# Do the same for `arithmetic`, and mind the unit: *events per second* grow when it gets faster.
# The time of one operation is one divided by that.

# %% tags=["solution"]
sums = frame[
    (frame["workload"] == "arithmetic")
    & frame["layer"].isin(["L1", "L2"])
    & ~frame["warmup"]
    & frame["valid"]
]
pairs = 1 / sums.pivot(index="round", columns="layer", values="value")
round(float((pairs["L2"] / pairs["L1"]).median()), 2)

# %% [markdown]
# ## Processor, memory, input and output
#
# Each layer adds load on the processor and takes memory, and input and output are slower than
# on the machine itself or in a first-level VM. All three can be looked at.
#
# Throughput alone can flatter: half the speed at twice the processor time is worse than it looks.
# So the processor stands beside it.

# %%
figure = nk.charts.throughput(run)
nk.course.Picture(figure, nk.charts.alt_text(figure))

# %% [markdown]
# Memory is taken twice: L1 holds its own, and L2's comes out of L1's. *Resident* is what the
# hypervisor's process holds in the layer outside, *usable* is what the guest has for itself.
# (If your run did not note it, the recorded run of three layers stands in.)

# %%
noted = run if run.provenance.get("memory") else nk.course.recorded_run(3)
memory = pd.DataFrame(noted.provenance["memory"])
nk.course.Table(memory, caption=f"Memory per layer in MiB, of a {noted.origin} run")

# %% [markdown]
# ## A third layer
#
# Two layers are practical. A third one is possible, and falls off a cliff: each of its exits is
# handed inwards from hypervisor to hypervisor, and each step on the way may be an exit of its
# own. Here is a lab of three VMs, recorded:

# %%
deep = nk.course.recorded_run(3)
figure = nk.charts.slowdown(deep)
nk.course.Picture(figure, nk.charts.alt_text(figure))

# %% [markdown]
# ## Exercise: the cliff
#
# What does the *third* layer cost, against the second? Take the workload `exit` of `deep`, and
# compute the ratio of L3 to L2, round by round, as before.

# %% tags=["learner"]
cliff = ...

# %% tags=["solution"]
exits = deep.to_frame().query("workload == 'exit' and not warmup and valid")
pairs = exits.pivot(index="round", columns="layer", values="value")
cliff = (pairs["L3"] / pairs["L2"]).median()
round(float(cliff), 2)

# %%
nk.course.check("06.third-layer", deep, cliff, workload="exit", layer="L3", baseline="L2")

# %% [markdown]
# Set the rows that stay in their guest beside it. Which of them fall off the same cliff?

# %%
beside = deep.summary("L2")
beside = beside[beside["layer"] == "L3"]
nk.course.Table(beside[columns], caption="L3 against L2")

# %% [markdown]
# ## What EPT and RVI save
#
# A guest believes that it owns its memory, and keeps page tables of its own. Somebody must
# translate what it believes into what is there. With **nested paging** (Intel EPT, AMD RVI) the
# processor walks both tables itself. Without, the hypervisor keeps a *shadow* of the guest's
# tables, and each change of them is an exit. Guides say that it “improves performance”; here it
# is measured, on two labs that differ in nothing else.

# %%
on, off = nk.course.recorded_run(2), nk.course.recorded_run(2, nested_paging=False)
figure = nk.charts.nested_paging(on, off)
nk.course.Picture(figure, nk.charts.alt_text(figure))

# %% [markdown]
# ## Exercise: what may be claimed?
#
# The two runs share no rounds, so nothing can be paired between them. A difference may be claimed
# only where the two **intervals have no value in common**. Which workloads does nested paging
# spare in L2, by this rule? Write their names as a list: `["arithmetic", …]`.

# %% tags=["learner"]
spared = ...

# %% tags=["solution"]
both = on.summary().merge(off.summary(), on=["workload", "layer"], suffixes=("_on", "_off"))
both = both[both["layer"] == "L2"]
apart = (both["ratio_low_off"] > both["ratio_high_on"]) | (
    both["ratio_high_off"] < both["ratio_low_on"]
)
spared = sorted(both.loc[apart.fillna(False), "workload"])
spared

# %%
nk.course.check("06.paging", on, off, spared, layer="L2")

# %% [markdown] tags=["instructor"]
# **Expected**: first touch of a page stands out, as it should: each page touched for the first
# time changes a page table. Which others do depends on how quiet the machine was when it was
# recorded, so the check computes it from the two runs. Common mistakes: to compare the medians
# and leave the intervals out; to say “no difference” where it should be “none that these two
# runs can show”.
#
# VMware *requires* EPT or RVI to expose hardware virtualization, and Hyper-V requires SLAT. So on
# real hosts of today one cannot switch it off; the lab can.

# %% [markdown]
# ## Yours and published
#
# What did others find, on hardware? Only figures that somebody measured, and that were read in
# their primary source, are drawn, with year and processor.

# %%
figure = nk.charts.against_published(run)
nk.course.Picture(figure, nk.charts.alt_text(figure))

# %% [markdown]
# If your layers are emulated, the two panels have scales of their own, and for good reason. What
# **“emulated” does not prove**:
#
# - that a server has these factors, or any factor in proportion to them;
# - that work which is dear here is dear there: to an emulator arithmetic is dear, to a
#   processor exits are;
# - that a third layer is as steep there. It is steep for the same *reason*, exits that multiply;
# - that its L2 stands for a server's L2. Here the emulator plays the *processor*, so the first
#   hypervisor to take an exit is the one in L1. An exit that is handed from one hypervisor to
#   another, as a server's L2 has it, is L3's here: the cliff above is the nearer relative of the
#   stars in the chart.
#
# What it does show is the method, and the mechanism, on a machine that anybody has. For figures
# of a server, measure the server. We know of no published figures for nested ESXi, and quote
# none.

# %% [markdown]
# ## What this means for your lab
#
# - With hardware virtualization, work that computes is nearly as fast in L2 as in L1. Work that
#   waits for devices is not.
# - **Plan resources**: give a nested host *static memory* (reserved on ESXi, Dynamic Memory off on
#   Hyper-V) and *enough virtual CPUs*, so that L0 adds no waits of its own. Memory adds up over
#   the layers; it is never shared out twice.
# - **EPT or RVI** saves an exit each time a guest changes its page tables. Preflight looks for it.
# - What is lost, DirectPath I/O, FT, live migration of the nested host, is lesson
#   [05](05-cross-platform.ipynb).
# - None of this is for production. It is for labs, tests and automation, where a factor is
#   affordable and a surprise is not.

# %% [markdown]
# ## Quiz

# %%
quiz = nk.course.quiz("06")
quiz

# %% tags=["solution"]
quiz.asked[0].choose(2)
quiz.asked[1].choose(1)
quiz.asked[2].choose(1)
quiz.asked[3].choose(2)
quiz.asked[4].choose(1)
right = [asked.submit() for asked in quiz.asked]
quiz

# %% [markdown] tags=["learner"]
# **Look around:** the page [Explore](explore.ipynb) draws any of the seven charts from your own
# runs and the recorded ones, and sets two machines side by side.

# %% [markdown]
# ## Key points
#
# - Overhead comes from leaving the guest. Say which workload, or do not say a number.
# - Look at the acceleration first: an emulated layer is evidence about an emulated machine.
# - Paired ratios, fixed rounds, an interval: “no measurable difference” is a result.
# - Look at the samples in time order before you believe their median.
# - Layers take processor and memory too, and input and output pay most. A third layer multiplies.
#
# **Next:** [07 Use cases](07-use-cases.ipynb) puts it to work. To measure a machine of your own:
# `nestkit benchmark lab:// --depth 2 --save mine.json`.
