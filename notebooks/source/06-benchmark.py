# ---
# jupyter:
#   nestkit:
#     number: "06"
#     title: Benchmark
#     minutes: 60
#     items: [rows, overhead, quiz-exits, quiz-tcg, quiz-interval]
# ---

# %% [markdown]
# # 06 Benchmark: what does each layer cost?
#
# **60 minutes** · before: [03 ESXi 8](03-esxi.ipynb) · back to [00 Start
# here](00-start-here.ipynb)
#
# **Questions**
#
# - How much slower is a VM inside a VM?
# - Why is the honest answer “that depends on what it does”?
# - How do I measure it so that I would believe the figure myself?
#
# **You will**
#
# - boot a real VM inside a real VM on this machine, if you like, or read a recorded run;
# - read a chart of slowdowns with intervals, and say what it does not show;
# - compute an overhead from raw samples, to within 1 %.

# %% [markdown] tags=["solution"]
# > This is the **solution** edition: all cells are filled in and were run. To work yourself,
# > open [the lesson](../06-benchmark.ipynb).

# %%
import textwrap

import nestkit as nk
from nestkit.resources import data_path

# %% [markdown]
# ## It is the exits
#
# With hardware virtualization a guest runs on the processor itself, at full speed, until it
# does something that its hypervisor must see: it asks for CPUID, touches a device, waits for a
# timer. Then the processor **leaves the guest**. That is an *exit*.
#
# One layer further in, an exit costs much more. The processor knows only one hypervisor, L0. So
# an exit of L2 goes to L0 first, which hands it to L1; L1 handles it, and each thing it does
# for that may be an exit of its own; then the way back.
#
# That is why one number per layer misleads. Others measured it on hardware (PVM, SOSP 2023,
# tables 1 and 2; microseconds in L1 and in L2):
#
# | operation | L1 | L2 | ratio |
# |---|---|---|---|
# | CPUID, an exit | 0.54 | 7.10 | 13 × |
# | port I/O, an exit | 3.79 | 29.34 | 7.7 × |
# | getpid, a system call: no exit | 0.22 | 0.23 | 1.0 × |
#
# So we measure at least two kinds of work: one that stays in the guest, and one that leaves it.

# %%
for workload in nk.benchmark.WORKLOADS.values():
    print(f"{workload.title} ({workload.unit}): {workload.why}")

# %% [markdown]
# ## Boot a VM in a VM, here
#
# This form boots two real virtual machines, one inside the other, runs the workloads in each,
# and powers both off. The first time it builds a small image from your distribution's packages.
# On a machine without usable hardware virtualization it *emulates* a processor (TCG): that is
# slow, real, and no evidence about hardware.
#
# It takes a few minutes. You need not: the lesson goes on with a recorded run.

# %%
form = nk.course.benchmark_form()
form

# %% [markdown]
# If you took a run, it is used from here on; if not, the recorded one. What you save with
# `run.save("mine.json")` opens the same way.

# %%
recorded = nk.Run.load(data_path("runs", "lab-depth2-tcg.json"))
run = form.result if isinstance(form.result, nk.Run) else recorded
print(run)

# %% [markdown]
# ## Who measured what, on what?
#
# A figure without its circumstances is a rumour. Every run carries them. Look at **how each
# layer's processor is provided** before anything else:

# %%
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
# ## The chart
#
# Each dot is the median slowdown of one workload in one layer, each bar its interval; 1 is the
# baseline. The axis is logarithmic: the same distance is the same factor.

# %%
figure = nk.charts.slowdown(run)
nk.course.Picture(figure, nk.charts.alt_text(figure))

# %% [markdown]
# The same in words, for those who cannot see it, and for your report:

# %%
print(textwrap.fill(nk.charts.alt_text(figure), width=96))

# %% [markdown]
# And as a table. A ratio never stands alone: the absolute median is beside it, and where the
# interval contains 1 the verdict is “no measurable difference”.

# %%
columns = ["workload", "layer", "median", "unit", "ratio", "ratio_low", "ratio_high", "verdict"]
nk.course.Table(run.summary()[columns], caption="What each layer costs")

# %% [markdown]
# ## How it was measured
#
# - **Rounds, not blocks.** Each round runs every layer once, in random order. If the machine
#   gets busy, it gets busy for all of them.
# - **Pairs.** The slowdown is the median of the *ratios within each round*, with its exact
#   interval.
# - **A fixed number of rounds.** Who stops when the result looks good has decided the result.
# - **Warm-up is kept, and not counted.** So are flags: time stolen by other machines, clocks
#   that disagree.

# %% [markdown]
# ## Exercise: the rows that count
#
# `run.to_frame()` has one row a sample. Take those of the workload `exit` in L1 and L2 that
# **count**: no warm-up, and valid. Keep all columns.

# %%
frame = run.to_frame()
frame[["round", "layer", "workload", "value", "unit", "warmup", "valid"]].head(6)

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
round(overhead, 2)

# %%
nk.course.check("06.overhead", run, overhead, workload="exit", layer="L2", baseline="L1")

# %% [markdown]
# Do the same for `arithmetic`, and mind the unit: *events per second* grow when it gets faster.
# The time of one operation is one divided by that.

# %% tags=["solution"]
rows = frame[
    (frame["workload"] == "arithmetic")
    & frame["layer"].isin(["L1", "L2"])
    & ~frame["warmup"]
    & frame["valid"]
]
pairs = 1 / rows.pivot(index="round", columns="layer", values="value")
round((pairs["L2"] / pairs["L1"]).median(), 2)

# %% [markdown]
# ## What this means for your lab
#
# - With hardware virtualization, work that computes is nearly as fast in L2 as in L1. Work that
#   waits for devices is not.
# - Two layers are practical. A third is possible, and falls off a cliff: each of its exits
#   passes through two hypervisors more.
# - EPT or RVI saves exits each time a guest touches memory for the first time. Static memory
#   and enough virtual CPUs keep L0 from adding waits of its own.
# - We know of no published figures for nested ESXi. Measure yours.

# %% [markdown]
# ## Quiz

# %%
quiz = nk.course.quiz("06")
quiz

# %% tags=["solution"]
quiz.asked[0].choose(2)
quiz.asked[1].choose(1)
quiz.asked[2].choose(1)
[asked.submit() for asked in quiz.asked]

# %% [markdown] tags=["learner"]
# **Look around:** the page [Explore](explore.ipynb) draws any of the seven charts from your own
# runs and the recorded ones, and sets two machines side by side.

# %% [markdown]
# ## Key points
#
# - Overhead comes from leaving the guest. Say which workload, or do not say a number.
# - Look at the acceleration first: an emulated layer is evidence about an emulated machine.
# - Paired ratios, fixed rounds, an interval: “no measurable difference” is a result.
#
# **Next:** look at your [progress](00-start-here.ipynb), or measure a machine of your own with
# `nestkit benchmark lab:// --depth 2 --save mine.json`.
