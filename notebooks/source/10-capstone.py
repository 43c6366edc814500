# ---
# jupyter:
#   nestkit:
#     number: "10"
#     title: Capstone
#     minutes: 90
#     items: [prepared, measured, report, quiz-claim, quiz-production]
# ---

# %% [markdown]
# # 10 Capstone: a nested lab of your own
#
# **90 minutes** · before: [09 Troubleshooting](09-troubleshooting.ipynb)
#
# **Questions**
#
# - Can I take a VM from “cannot nest” to “verified”, and show what I did?
# - Can I say what it costs, and how sure I am?
#
# **You will**
#
# - prepare a VM on the platform of your choice: preflight, plan, apply, verify;
# - measure a lab of two layers, and chart it;
# - draw a conclusion, and hand in one page that opens anywhere, offline.
#
# There is less help here than before. Everything you need was in lessons 01 to 09, and every cell
# may be run as often as you like.

# %% [markdown] tags=["solution"]
# > This is the **solution** edition: all cells are filled in and were run. To work yourself,
# > open [the lesson](../10-capstone.ipynb).

# %% [markdown] tags=["instructor"]
# **Timing** (90 min): prepare 25 · measure 20 · conclude and report 30 · show each other 15.
#
# **What to look for** in the conclusions: a figure with its interval and its layer; the words
# *emulated* or *recorded* where they belong; one decision that follows. “L2 is slower” is none.
#
# **Common mistakes**: a ratio against L0 where L1 is emulated; a figure without its workload;
# a plan applied to the wrong VM (the report names it).
#
# **Handing in**: the page is one file. Collect it together with the progress file.

# %%
import nestkit as nk

# %% [markdown]
# ## 1. Choose your host
#
# Take one of the two practice hosts, or a real one that you may change. For a real host write its
# address and the name of your VM. Want to begin with fresh practice hosts? `nk.practice.reset()`.

# %% tags=["learner"]
host = nk.connect("practice://esx")  # or practice://hyperv, or a real one
VM = "nested-esxi-01"  # or nested-hv-20

# %% tags=["solution"]
host = nk.connect("practice://esx")
VM = "nested-esxi-01"

# %% [markdown]
# ## 2. Can it nest?
#
# Run a preflight and read it from the top. What blocks, what is only recommended, what is unknown?

# %%
nk.preflight.check(host, vm=VM)

# %% [markdown]
# ## 3. Make it nest
#
# Make a plan, read every step, and apply it. Each step is in the journal before it is made. (A plan
# without steps means that the VM was ready before, perhaps since lesson 03: reset, or take another
# VM, so that you have something to show.)

# %%
plan = nk.configure.plan(host, vm=VM)
plan

# %%
apply_form = nk.course.apply_form(plan, host)
apply_form

# %% tags=["solution"]
apply_form.confirm.value = True
apply_form.run()

# %%
nk.course.check("10.prepared", host, VM, plan=plan)

# %% [markdown]
# Not there yet? The hints say what is left. If you would rather begin again:
# `nk.configure.rollback(apply_form.result, host)`.

# %% [markdown]
# ## 4. What does it cost?
#
# Measure a lab of depth 2. *Replay* plays a recorded lab back in seconds; *this machine* boots and
# measures real virtual machines, in some minutes.

# %%
measure_form = nk.course.benchmark_form()
measure_form

# %% tags=["solution"]
measure_form.run()

# %%
nk.course.check("10.measured", measure_form.result)

# %% [markdown]
# Look at it before you judge: which workload suffers most, which hardly at all? Is the interval
# narrow? What does the run say of itself?

# %%
if measure_form.result is not None:
    nk.charts.show(nk.charts.slowdown(measure_form.result))
else:
    print("Measure first, with the form above.")

# %% [markdown]
# ## 5. Conclude, and write it down
#
# Write a few sentences for somebody who wants to build such a lab: what it costs and where, how
# sure you are, and what you would do. Enter begins a new line, an empty line a new paragraph, and
# Tab leaves the field. Then press **Write**.

# %%
report_form = nk.course.report_form(host, apply_form, measure_form)
report_form

# %% tags=["solution"]
report_form.fields["conclusion"].value = (
    "Compute in L2 costs little, while every exit costs about a thousand times as much as in L1; "
    "disk requests lie in between. The layers were emulated and recorded, so the pattern counts "
    "and not the size.\n\n"
    "I would use nested hosts for training and tests, give them static memory, and avoid a third "
    "layer."
)
report_form.run()

# %%
nk.course.check("10.report", report_form.result)

# %% [markdown]
# In a terminal the same page comes from one command. `JOURNAL` is the path that `nestkit apply`
# printed, and `RUN.json` the file of `nestkit benchmark lab:// --save RUN.json`:
#
# ```sh
# nestkit report my-lab.html --host practice://esx --vm nested-esxi-01 \
#     --journal JOURNAL --run RUN.json --conclusion "…"
# ```

# %% [markdown]
# ## What you can do now
#
# You can say whether a host can nest and why not, make it nest and take it back, measure what each
# layer costs, and tell what a figure proves. Nested labs are for learning, for tests and for
# rehearsals, and not for production: there they are supported nowhere but in a few named cases.

# %%
nk.course.progress.summary()

# %% [markdown]
# Something to look up again? This course grew from a guide to nested virtualization. Unfold the
# table: it leads from each statement of the guide to the place where the course covers it.
# `docs/cheatsheet.md` has all requirements on one page.

# %%
nk.course.guide_map()

# %% [markdown]
# ## Quiz

# %%
quiz = nk.course.quiz("10")
quiz

# %% tags=["solution"]
quiz.asked[0].choose(0, 2)
quiz.asked[1].choose(1)
right = [asked.submit() for asked in quiz.asked]
quiz

# %% [markdown]
# ## Key points
#
# - Preflight, plan, apply, verify, measure, report: each step leaves something to show.
# - A figure without its layer, workload, interval and origin is an opinion.
# - Clean up: roll back what you do not need. `nestkit practice reset` resets the practice hosts.
#
# **Next:** start over on a real host; [00 Start here](00-start-here.ipynb) shows what is open.

# %% [markdown] tags=["learner"]
# **Look around:** [Explore](explore.ipynb) your own runs.
