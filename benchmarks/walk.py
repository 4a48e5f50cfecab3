# %% [markdown]
# # Writing as one particular person
#
# Ten of a person's e-mails, and five ways to make a language model write like that person: a prompt, examples, supervised fine-tuning on
# synthetic data, reinforcement learning from a rubric judge, and DITTO. At the end they and the model as it is all answer the same
# requests that none of them has seen, and every number has its interval.
#
# The cells call the package `idiolect`; what each call does is in its docstring and in the [guide](docs/guide.md). Run as it is, the
# notebook needs no key and no network: the *pocket model* of 5 million parameters writes, and the person is a simulated one whose style
# is known, so that the measures are checked against the truth. The variable `IDIOLECT_NOTEBOOK_PRESET=handout` runs the same cells on
# hosted Tinker with the handout's models and your own `data.json`.

# %% [markdown]
# ## 1. Setup

# %%
import os
from contextlib import ExitStack
from pathlib import Path

import matplotlib.pyplot as plt
from IPython.display import Image, Markdown, display

from idiolect.cli.local_engine import connected
from idiolect.methods.tracking import REMINDER, Tracking
from idiolect.settings import Settings, load_env_files
from idiolect.workspace import Workspace, read_json_lines

PRESET = os.environ.get("IDIOLECT_NOTEBOOK_PRESET", "pocket")  # "handout" for hosted Tinker
SMALL = os.environ.get("IDIOLECT_NOTEBOOK_SIZE") == "small"  # a quick run that shows the way, not the numbers
workspace = Workspace(Path(os.environ.get("IDIOLECT_NOTEBOOK_WORKSPACE", "notebook-out")).resolve())

# A project of Weights & Biases to log the trainings to; nothing is logged there without one.
PROJECT = os.environ.get("IDIOLECT_NOTEBOOK_WANDB")
tracking = Tracking(wandb=True, wandb_project=PROJECT) if PROJECT else Tracking()
if PROJECT:
    print(REMINDER)

# Keys come from the environment or from .env, which `.env.example` explains. The pocket model needs none.
if PRESET != "pocket":
    load_env_files(Path())


said = set()


def progress(what, done, total):
    """Say once when a longer part is done."""
    if done == total and what not in said:
        said.add(what)
        print(f"{what}: {done} of {total}")


# %% [markdown]
# ## 2. Data
#
# `data.json` holds demonstrations `{"input": request, "output": what the person wrote}`; `data.example.json` shows ten. The newest are
# held out and no method sees them. The simulated person of the offline run comes with ten e-mails to learn from and held-out requests.

# %%
from idiolect.corpus import import_messages, save, split
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.corpus.splits import default_heldout
from idiolect.pocket.demo import prepare

if PRESET == "pocket":
    settings = prepare(workspace, seed=int(os.environ.get("IDIOLECT_NOTEBOOK_SEED", "0")))
else:
    settings = Settings(author="me", preset=PRESET)
    settings.save(workspace.settings)
    source = next(path for path in (Path("data.json"), Path("data.example.json")) if path.exists())
    texts = import_messages(source, ()).demonstrations
    save(workspace, *split(texts, default_heldout(texts, settings.heldout)))

demonstrations, heldout = load_demonstrations(workspace.demonstrations), load_demonstrations(workspace.heldout)
print(f"{len(demonstrations)} demonstrations, {len(heldout)} held-out requests\n")
for row in demonstrations[:2]:
    print(f"Request: {row.input}\n\n{row.output}\n{'-' * 60}")

# %% [markdown]
# One connection serves all cells: to the service that the environment names, or else to the engine that ships here, which is started on
# this machine and ended with the last cell.

# %%
stack = ExitStack()
connection = stack.enter_context(connected(settings, workspace, [settings.policy, settings.teacher]))

# %% [markdown]
# ## 3. Baseline
#
# The model as it is. Everything else has to beat it.

# %%
from idiolect.methods.baseline import baseline
from idiolect.service import draft

base = baseline(workspace, settings)
request = heldout[0].input


def draft_of(writer):
    """The writer's draft for the first held-out request."""
    (found,) = connection.run(draft(connection, writer, [request], seed=settings.seed))
    return found.text


print(f"Request: {request}\n\nThe model as it is:\n\n{draft_of(base)}\n\n{settings.author} wrote:\n\n{heldout[0].output}")

# %% [markdown]
# ## 4. Prompting
#
# The model reads the e-mails in groups and describes their style; what most descriptions say becomes `prompt.md`, which you may edit.
# The few-shot writer sees e-mails that differ most from one another instead.

# %%
from idiolect.methods.prompting import prompting

prompted = connection.run(prompting(connection, workspace, settings, demonstrations))
print(workspace.prompt.read_text())
for name, writer in prompted.items():
    print(f"--- {name}\n{draft_of(writer)}\n")

# %% [markdown]
# Which prompt is best? Some of the demonstrations are set apart as development requests: what is measured is how likely the person's own
# text is under each prompt, and what a draft does to the facts. Held-out requests are not read.

# %%
from idiolect.cli.prompt import told_lines, told_variants
from idiolect.evaluation.prompts import compare_variants, explain_prompt
from idiolect.methods.prompting import PromptingConfig

measured = (connection, workspace, settings, demonstrations, PromptingConfig())
print(told_variants(connection.run(compare_variants(*measured, progress=lambda *_: None)))[1])

# %% [markdown]
# And which line of `prompt.md` earns what? Each is left out once. `idiolect prompt --optimize` searches on with gepa.

# %%
print(told_lines(connection.run(explain_prompt(*measured, development=3 if SMALL else None, progress=lambda *_: None)))[1])

# %% [markdown]
# ## 5. Synthetic inputs and outputs
#
# Ten seed topics, so many requests each; a teacher with the prompt above and examples writes the texts. What is empty, cut off, lacks a
# fact of the request, invents one, or comes near a demonstration or a held-out request is dropped. A general teacher may think before it
# writes and criticize what it wrote: `SynthesisConfig(think=True, critique=True)`. The pocket model never learnt to.

# %%
from idiolect.methods.synthetic import synthetic_data
from idiolect.synthesis import SynthesisConfig

sizes = SynthesisConfig(per_topic=2) if SMALL else SynthesisConfig()
synthetic, kept = connection.run(synthetic_data(connection, workspace, settings, demonstrations, heldout, sizes, progress=progress))
for what in ("requests", "texts"):
    print(f"{what}: {kept[what]['kept']} kept, dropped {kept[what]['dropped']}")
print(f"\nRequest: {synthetic[0].input}\n\n{synthetic[0].output}")

# %% [markdown]
# ## 6. Supervised fine-tuning
#
# A LoRA adapter learns (request → text) without any prompt. First what this training and the two after it would cost on hosted Tinker
# with the handout's models and settings, from these demonstrations and synthetic texts. The prices are made up: state your service's.

# %%
from idiolect.cli.planning import planned_judge, planned_rlaif, planned_sft
from idiolect.methods.estimate import Estimate
from idiolect.methods.reward_model import RewardModelConfig
from idiolect.methods.rlaif import RlaifConfig
from idiolect.methods.sft import SftConfig
from idiolect.settings import Prices

hosted = Settings(author=settings.author, preset="handout")
plans = (planned_sft(workspace, hosted, SftConfig()), planned_judge(workspace, hosted, RewardModelConfig()))
plans = (*plans, planned_rlaif(workspace, hosted, RlaifConfig()))
print(Estimate(tuple(work for plan in plans for work in plan.works)).told(Prices(read=0.1, sampled=0.3, trained=0.4)))

# %%
from idiolect.methods.sft import sft

config = SftConfig(steps=6) if SMALL else SftConfig()
tuned = connection.run(sft(connection, workspace, settings, demonstrations, synthetic, config, tracking=tracking))


def plot(points, label, **style):
    """Values (step, value) as a curve of their own."""
    plt.figure(figsize=(6, 2.6), dpi=90)
    plt.plot(*zip(*points, strict=True), **style)
    plt.xlabel("step")
    plt.ylabel(label)
    plt.tight_layout()
    plt.show()


def curve(method, metric, label):
    """One metric of the method's newest run, by step."""
    run = sorted(workspace.runs.glob(f"{method}-*/metrics.jsonl"))[-1]
    plot([(row["step"], row[metric]) for row in read_json_lines(run) if metric in row], label)


curve("sft", "train_mean_nll", "loss (nats a token)")
print(draft_of(tuned))

# %% [markdown]
# ## 7. Rubric and reward model
#
# The rubric says what makes a draft good; you edit `rubric.md`. A judge learns it from pairs whose better half is known: the person's own
# e-mails against the plain model's drafts, and against themselves with a habit broken or a fact lost; and drafts of the fine-tuned policy,
# of which one is clearly more like the person's texts, for these are what it will judge. It reads both orders of a pair.

# %%
from idiolect.evaluation.judge_check import check_judge
from idiolect.judge import ModelJudge
from idiolect.judge.examples import draft_pairs, spoilt_pairs
from idiolect.judge.propose import propose
from idiolect.judge.seen import common
from idiolect.methods.reward_model import plain_drafts, reward_model
from idiolect.tasks import load_task
from idiolect.workspace import write_atomic

texts = [row.output for row in demonstrations]
if not workspace.rubric.exists():
    write_atomic(workspace.rubric, propose(texts, letter=load_task(settings.task, workspace).letter).markdown())
print(workspace.rubric.read_text())

# %%
config = RewardModelConfig(steps=4, spoilt=2, drafts=1, policy_drafts=2) if SMALL else RewardModelConfig()
asked = [row.input for row in synthetic]
judge = connection.run(
    reward_model(
        connection, workspace, settings, demonstrations, config, policy=tuned, requests=asked, tracking=tracking, progress=progress
    )
)
curve("judge", "train_mean_nll", "loss (nats a token)")

# %% [markdown]
# How far it can be trusted, on requests that it has not seen: the person's own text against the plain model's, and against itself spoilt.
# Half is chance; "in both orders" asks that it be right whichever text comes first.

# %%
rows = heldout[: 2 if SMALL else 20]
drafts = connection.run(plain_drafts(connection, workspace, settings, [row.input for row in rows], 1, progress))
pairs = [*draft_pairs(rows, drafts), *spoilt_pairs(rows, 3, settings.seed + 1, habits=common(texts))]
for source, one in check_judge(ModelJudge.of(connection, judge), pairs, seed=settings.seed).by_source.items():
    right = f"{one.right.mean:.2f} ({one.right.low:.2f} to {one.right.high:.2f})"
    print(f"{source}: {one.pairs} pairs, right {right}, in both orders {one.right_in_both.mean:.2f}")

# %% [markdown]
# ## 8. RLAIF
#
# The policy writes drafts in groups of four, the judge holds every two of a group against each other, and the wins are the reward; a lost
# or invented fact loses a match. Every few steps the development requests are looked at by measures that give no rewards, and the training
# goes back to the best look. So reward hacking shows, and does not stay.

# %%
from idiolect.methods.rlaif import rlaif

config = RlaifConfig(steps=1, batch_size=2, every=1, dev_requests=2) if SMALL else RlaifConfig()
asked = synthetic
if PRESET == "handout" and not SMALL:
    # The handout's 2,000 requests, the last 500 of which are looked at; SFT had 100.
    more = SynthesisConfig(per_topic=200)
    asked, _ = connection.run(synthetic_data(connection, workspace, settings, demonstrations, heldout, more, progress=progress))
requests = [row.input for row in (*demonstrations, *asked)]
referee = ModelJudge.of(connection, judge)
reinforced = connection.run(rlaif(connection, workspace, settings, tuned, referee, requests, demonstrations, config, tracking=tracking))

looks = list(read_json_lines(sorted(workspace.runs.glob("rlaif-*/looks.jsonl"))[-1]))
for look in looks:
    figures = ", ".join(f"{name} {figure['mean']:.2f}" for name, figure in look["figures"].items())
    print(f"before step {look['step']}: {figures}. Alarms: {', '.join(look['alarms']) or 'none'}")
for name, label in (("win_rate_vs_base", "win rate against the start"), ("facts_kept", "facts kept")):
    plot([(look["step"], look["figures"][name]["mean"]) for look in looks], label, marker="o")
kept_step = next(look["step"] for look in looks[::-1] if look["sampler_path"] == reinforced.adapter or not look["step"])
print(f"Gone back to: before step {kept_step}{', the start' if not kept_step else ''}.\n\n{draft_of(reinforced)}")

# %% [markdown]
# ## 9. DITTO
#
# No judge: the model imitates seven demonstrations a little, then learns in rounds to prefer them to its own drafts, and newer drafts to
# older ones. It begins with a new adapter, as its authors do. The pocket model is told the description of the style before each request.

# %%
from idiolect.methods.ditto import DittoConfig, ditto

config = DittoConfig(demonstrations=2, imitate_steps=2, rounds=1, steps=2, samples=2, batch_size=2) if SMALL else DittoConfig()
preferred = connection.run(ditto(connection, workspace, settings, demonstrations, config, tracking=tracking))
curve("ditto", "dpo_loss", "DPO loss (nats)")
print(draft_of(preferred))

# %% [markdown]
# ## 10. Comparison
#
# Every writer answers the same held-out requests. Style is the share of the person's true traits in the draft (a simulated person) or the
# authorship verifier's probability (a real one). Beside it stands what reward hacking and memorizing would move: facts kept and invented,
# length, and passages copied from the demonstrations. All with 95 % intervals.

# %%
from idiolect.evaluation.compare import compare
from idiolect.report import render_png, results_table
from idiolect.report.findings import cautions, finding, ordered
from idiolect.report.plots import figures_of

results = compare(workspace, settings, connection, requests=6 if SMALL else None)
order = ordered(results)
display(results_table(results))
display(Markdown(finding(results, order)))
for name, told in cautions(results, order):
    display(Markdown(f"- **{name}** {told}"))

# %%
for figure in figures_of(results, order):
    display(Image(render_png(figure.svg), alt=figure.alt))
    display(Markdown(f"**{figure.title}** {figure.caption}"))

# %% [markdown]
# One request, every writer:

# %%
from idiolect.evaluation.results import load_drafts

shown = load_drafts(workspace.results / "drafts.json").requests[-1]
print(f"Request: {shown.request}\n\n--- {settings.author} wrote\n{shown.own}")
for name in order:
    print(f"\n--- {name}\n{shown.drafts[name].text}")

# %% [markdown]
# ## 11. The report and the writeup
#
# The report says all of it at length (`report.html`, `report.pdf`); `writeup.md` fills the handout's sections from the saved runs.
# `idiolect submit` then checks everything and packs the ZIP.

# %%
from idiolect.report import build_report, build_writeup

written = build_writeup(workspace, settings)
for file in (*build_report(workspace, prices=settings.prices), *written):
    print(file.relative_to(workspace.root))
stack.close()

# %% [markdown]
# The writeup, as it is handed in:

# %%
display(Markdown(written.markdown.read_text()))
