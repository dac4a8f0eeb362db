"""What is broken, one line at a time; each must fail one of the tests named beside it."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """A line that is replaced.

    Args:
        name: What it breaks.
        file: The file, relative to the repository.
        old: Text that is replaced; the file holds it exactly once.
        new: What stands there instead.
        tests: Tests that are run, relative to `tests/`.
        survives: Why no test can or need see it; "" for a mutant that must be caught.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str
    survives: str = ""


_CONTRAST, _HINGE = "smar/losses/contrast.py", "smar/losses/hinge.py"
_THREE, _ADAPTIVE = "smar/losses/three_part_hinge.py", "smar/losses/adaptive.py"
_STEP, _BATCHING = "smar/train/step.py", "smar/train/batching.py"
_LOOP, _OPTIM = "smar/train/loop.py", "smar/train/optim.py"
_CATEGORY, _STORE = "smar/models/gate/category.py", "smar/index/store.py"
_ANN, _HYBRID = "smar/index/ann.py", "smar/index/hybrid.py"
_RULES, _ANCHOR = "smar/release/rules.py", "smar/release/anchor.py"
_REGISTRY, _REPLACE = "smar/service/registry.py", "smar/replace.py"
_BUNDLE, _PULLED = "smar/release/bundle.py", "smar/service/pulled.py"
_T_STEP, _T_BATCH = "train/test_step.py", "train/test_batching.py"
_T_RULES, _T_ANCHOR = "release/test_rules.py", "release/test_anchor.py"

MUTANTS = [
    # Losses
    Mutant("temperature ignored", _CONTRAST, "scores.float() / temperature", "scores.float()",
           "losses"),
    Mutant("forbidden negatives count", _CONTRAST, "logits.masked_fill(~considered, -torch.inf)",
           "logits", "losses"),
    Mutant("own item left out of the sum", _CONTRAST,
           "allowed.scatter(1, target[:, None], value=True)", "allowed", "losses"),
    Mutant("hinge the wrong way round", _HINGE, "(params.margin - own + scores)",
           "(params.margin + own - scores)", "losses"),
    Mutant("hinge without its margin", _HINGE, "(params.margin - own + scores)",
           "(scores - own)", "losses"),
    Mutant("hinge summed over negatives", _HINGE, " / negative.sum(1).clamp(min=1)", "", "losses"),
    Mutant("grade without its power", "smar/losses/gcl.py", ".pow(params.power)", "", "losses"),
    Mutant("grades not over their mean", "smar/losses/gcl.py", " / weight.mean()", "", "losses"),
    Mutant("three parts: square left out", _THREE, "(params.engaged - own).clamp(min=0).square()",
           "(params.engaged - own).clamp(min=0)", "losses"),
    Mutant("three parts: sharpness ignored", _THREE, "(sharpness * scores.detach())",
           "scores.detach()", "losses"),
    Mutant("adaptive: margin not adapted", _ADAPTIVE, "margin * (1 - closeness)", "margin",
           "losses"),
    Mutant("adaptive: other direction unweighted", _ADAPTIVE, "params.symmetric * side", "side",
           "losses"),
    # Gate and towers
    Mutant("category gate: P and 1 - P swapped", _CATEGORY,
           "chance * of_both + (1 - chance) * of_text", "chance * of_text + (1 - chance) * of_both",
           "models/gate/test_category.py"),
    Mutant("category gate without its cross-entropy", _CATEGORY, " + self.weight * supervised", "",
           "models/gate/test_category.py"),
    Mutant("several pictures summed", "smar/models/image.py", " / counts.clamp(min=1)[:, None]", "",
           "models/test_image.py"),
    # Training
    Mutant("image task with pictureless negatives", _STEP,
           "batch.allowed & item.has_picture[None, :]", "batch.allowed", _T_STEP),
    Mutant("image task averaged over all queries", _STEP,
           "losses[name] = (values * pictured).sum() / num_pictured",
           "losses[name] = values.mean()", _T_STEP),
    Mutant("alignment with equal items as negatives", _STEP,
           "allowed = group[rows][:, None] != group[None, :]",
           "allowed = rows[:, None] != torch.arange(len(group))", _T_STEP),
    Mutant("alignment in one direction", _STEP, "(losses[0] + losses[1]) / 2", "losses[0]",
           _T_STEP),
    Mutant("sampler: queries ignore the step", _BATCHING, 'generator(self._seed, "queries", step)',
           'generator(self._seed, "queries", 0)', _T_BATCH),
    Mutant("sampler: items ignore the step", _BATCHING, "divmod(step, per_epoch)",
           "divmod(0, per_epoch)", _T_BATCH),
    Mutant("sampler: every epoch in one order", _BATCHING, 'generator(self._seed, "items", epoch)',
           'generator(self._seed, "items", 0)', _T_BATCH),
    Mutant("pairs drawn evenly", _BATCHING, "np.cumsum(pairs.weight)",
           "np.cumsum(np.ones(len(pairs)))", _T_BATCH),
    Mutant("equal items as negatives", _BATCHING, "return ~(known | same | (holds_all & ~shown))",
           "return ~(known | (holds_all & ~shown))", _T_BATCH),
    Mutant("engaged items as negatives", _BATCHING, "return ~(known | same | (holds_all & ~shown))",
           "return ~(same | (holds_all & ~shown))", _T_BATCH),
    Mutant("items with every word as negatives", _BATCHING,
           "return ~(known | same | (holds_all & ~shown))", "return ~(known | same)", _T_BATCH),
    Mutant("checkpoint key without inputs", "smar/stages/pretrain.py",
           '"pretrain", settings | inputs', '"pretrain", settings', "train/test_prepare.py"),
    Mutant("checkpoint key without settings", "smar/train/prepare.py",
           "json.dumps([settings, code.hexdigest()", "json.dumps([code.hexdigest()",
           "train/test_prepare.py"),
    Mutant("resumed run repeats a step", _LOOP, "Progress(number + 1, history)",
           "Progress(number, history)", "train/test_loop.py"),
    Mutant("learning rate without warm-up", _OPTIM, "peak * (step + 1) / warmup", "peak",
           "train/test_optim.py"),
    Mutant("learning rate never falls", _OPTIM, "(1 + math.cos(math.pi * progress))", "2",
           "train/test_optim.py"),
    Mutant("loss that is not finite goes on", _LOOP,
           "if not torch.isfinite(norm + output.loss.detach()):", "if False:",
           "train/test_loop.py"),
    # Index
    Mutant("content without pictures", _STORE, '"\\n".join([text, *of_picture[ids]])', "text",
           "index/test_store.py"),
    Mutant("embeddings of another model taken over", _STORE, "if store.model_sha != model_sha:",
           "if False:", "index/test_store.py"),
    Mutant("gate the wrong way round", _ANN, "[(1 - share) * vector, share * vector]",
           "[share * vector, (1 - share) * vector]", "index models/gate"),
    Mutant("rows of any norm", _ANN, '    check_unit_rows(text, "S_t")\n', "", "index"),
    Mutant("ties in any order", _ANN, "np.where(rows < 0, len(self.item_ids), rows), -scores",
           "-rows, -scores", "index"),
    Mutant("k beyond the items", _ANN, "return min(int(k), num_items)", "return int(k)",
           "index/test_hybrid.py"),
    Mutant("words and vectors swapped", _HYBRID,
           "(1 - word_share) * similarity + word_share * words",
           "word_share * similarity + (1 - word_share) * words", "index/test_hybrid.py"),
    Mutant("nothing looked for beyond the candidates", _HYBRID, "if not len(more):", "if True:",
           "index/test_hybrid.py"),
    Mutant("best share the last one", _HYBRID, "(recalls[share], -share)",
           "(recalls[share], share)", "index/test_hybrid.py"),
    Mutant("recall target ignored", _ANN, "if recall >= params.recall_target:", "if True:",
           "index/test_ann.py"),
    # Judging, drift, artefacts
    Mutant("bootstrap of 90 % for 95 %", "smar/judging/compare.py", "_LEVEL = 0.95",
           "_LEVEL = 0.90", "judging/test_compare.py"),
    Mutant("drift: groups ignored", "smar/monitoring/statistics.py",
           ".split(values, label, groups)", ".split(values, label, np.arange(len(values)))",
           "monitoring/test_signals.py"),
    Mutant("directory put in place by copying", _REPLACE,
           "        temporary.rename(path)\n    elif",
           "        shutil.copytree(temporary, path)\n    elif", "test_replace.py"),
    Mutant("directory swapped by copying", _REPLACE, "elif not _exchange(temporary, path):",
           "elif shutil.rmtree(path) or not shutil.copytree(temporary, path):", "test_replace.py"),
    Mutant("directory swapped by copying after a rename", _REPLACE,
           "            temporary.rename(path)\n        shutil",
           "            shutil.copytree(temporary, path)\n        shutil", "test_replace.py"),
    Mutant("no fsync", _REPLACE, "os.fsync(descriptor)", "pass", "test_replace.py"),
    Mutant("parent not flushed", _REPLACE, "    flush_to_disk(path.parent)\n\n\ndef _exchange",
           "    pass\n\n\ndef _exchange", "test_replace.py"),
    Mutant("reader does not put back", "smar/artifacts.py",
           "    put_back(path)\n    file = path / MANIFEST", "    file = path / MANIFEST",
           "test_replace.py"),
    Mutant("digest left out of a stage", "smar/declaration.py", "for name in self.reads}",
           "for name in self.reads[1:]}", "test_declaration.py"),
    # Releases
    Mutant("margin ignored", _RULES, "row.gap.low >= -margin", "True", _T_RULES),
    Mutant("mean instead of the lower end", _RULES, "row.gap.low >= -margin",
           "row.gap.mean >= -margin", _T_RULES),
    Mutant("sure losses pass", _RULES, "if is_real and row.gap.mean < -limit:", "if False:",
           _T_RULES),
    Mutant("chance refuses", _RULES, "if is_real and row.gap.mean < -limit:",
           "if row.gap.mean < -limit:", _T_RULES),
    Mutant("tests not corrected", _RULES, "level / (len(p_values) - rank)", "level", _T_RULES),
    Mutant("slices judged by the overall limit", _RULES,
           "limit = params.max_loss if row.name == OVERALL else params.slice_margin",
           "limit = params.max_loss", _T_RULES),
    Mutant("losses not added up", _RULES, "total = anchor.lost + gaps[key]", "total = gaps[key]",
           f"{_T_RULES} {_T_ANCHOR}"),
    Mutant("anchor moves with every release", _ANCHOR, "if key in against_current and lost >= 0:",
           "if key in against_current:", _T_ANCHOR),
    Mutant("anchor never moves", _ANCHOR, "if key in against_current and lost >= 0:", "if False:",
           _T_ANCHOR),
    Mutant("index recall not asked for", _RULES,
           "figures.index_recall >= params.min_index_recall", "True", _T_RULES),
    Mutant("identity without what readers are told", _BUNDLE, '"details": told', '"details": {}',
           "release/test_promotion.py -k share_of_the_words"),
    Mutant("experiment released", "smar/release/trial.py",
           "return PASSED if is_experiment else PROMOTED", "return PROMOTED",
           "release/test_promotion.py -k experiment"),
    Mutant("tags ignored for numbers", _REGISTRY, "return [*known, *tagged_versions(root)]",
           "return known", "service/test_pulled.py"),
    Mutant("removed releases' numbers given again", _REGISTRY,
           "known = [*versions(root), *(switch.version for switch in history(root))]",
           "known = versions(root)", "service/test_registry.py"),
    Mutant("release changed meanwhile", _REGISTRY, "    if now != expected:", "    if False:",
           "service/test_registry.py"),
    Mutant("two releases of one number", _PULLED, "if own.seal != pulled.seal:", "if False:",
           "service/test_pulled.py"),
    Mutant("files of a release writable", _REGISTRY, "file.chmod(0o444)", "file.chmod(0o644)",
           "service"),
    Mutant("older pulled release becomes current", _PULLED,
           "if is_newest or not current_version(root):", "if True:", "service/test_pulled.py"),
]  # fmt: skip
