# ---
# jupyter:
#   nestkit:
#     title: Explore
# ---

# %% [markdown]
# # Explore: your runs, recorded ones, published ones
#
# No lesson: a bench to work at. It needs what [06 Benchmark](06-benchmark.ipynb) explains: what
# a layer is, what an interval says, and why an emulated layer is no evidence about hardware.
#
# Each chart carries what a reader must not overlook: *recorded*, *emulated*, *too noisy*.

# %%
import textwrap

import nestkit as nk

# %% [markdown]
# ## Your own runs
#
# Take one here, in a lab on this machine; it takes a few minutes. When it is done, run the cell
# below the form, which keeps the run. Or skip this: the recorded runs are there anyway.

# %%
form = nk.course.benchmark_form("this machine")
form

# %%
if isinstance(form.result, nk.Run) and form.result.origin == "measured":
    print("kept as", nk.course.keep_run(form.result).name)
else:
    print("no run of your own from the form above yet")

# %% [markdown]
# A run file from **another machine** joins the list in the same way:
# `nk.course.keep_run(nk.Run.load("theirs.json"))`. Such a file comes from
# `nestkit benchmark lab:// --depth 2 --save theirs.json`, run there. Open only files whose origin
# you trust: a run says of itself what it is.
#
# ## The bench
#
# Choose runs, layers, workloads, what to compare with, and the chart; for *Yours and published*,
# also the published sources. With **two runs** chosen, a table below the chart compares the two
# machines. *Look for runs again* finds what was kept since; *Save PNG* and *Save CSV* say where the
# file is.

# %%
bench = nk.course.explorer()
bench

# %% [markdown]
# | chart | runs | what it answers |
# |---|---|---|
# | Slowdowns | one or more | How many times slower, and how sure is that? |
# | Heat map | one or more | Which work suffers in which layer? |
# | What each layer adds | one | How much time does a layer add to one operation? |
# | Nested paging on and off | two | What do EPT and RVI save? |
# | Samples in time order | one | Was the machine quiet? Did it drift? |
# | Throughput and its CPU | one | Is it as fast, but at twice the processor time? |
# | Yours and published | one | What did others measure on hardware? |
#
# ## The same without controls
#
# Every control has a `value`, and what is shown can be had as data. (This is a second bench: the
# one above stays as you left it.)

# %%
other = nk.course.explorer()
other.chart.value = "Heat map"
other.baseline.value = "L1"
columns = ["workload", "layer", "median", "unit", "ratio", "verdict"]
nk.course.Table(other.frame()[columns], caption="What is chosen there")

# %%
print(textwrap.fill(nk.charts.alt_text(other.figure), width=96))

# %% [markdown]
# Two machines, as a table. Here it is one run against itself, so nothing may differ:

# %%
run = other.chosen()[0]
nk.course.Table(nk.course.compare_machines(run, run), caption="A run against itself")
