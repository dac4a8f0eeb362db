"""A plan as text for a terminal."""

from smar.pages.text_table import aligned
from smar.planning.cost import Machine, Measured, Plan, errors

_TRUSTED = 10  # times the largest measured size: what lies beyond is said to
_NOT_COUNTED = (
    "Trainings are their preparation and three steps: add the steps of params.yaml, which do not "
    "grow with the shop.\nMachines share the work evenly here; smar runs a stage on one machine, "
    "so that several are a lower bound on paper."
)


def plan_text(plan: Plan, measured: Measured, items: float, machine: Machine) -> str:
    """Return a plan with what it rests on."""
    rows = [["stage", "cpu hours", "GB of memory", "parts", "GB written"]]
    for stage in plan.stages:
        parts = str(stage.parts(machine))
        memory, written = f"{stage.memory_gb:,.1f}", f"{stage.written_gb:,.1f}"
        rows.append([stage.name, f"{stage.cpu_hours:,.2f}", memory, parts, written])
    total = [sum(getattr(s, name) for s in plan.stages) for name in ("cpu_hours", "written_gb")]
    rows.append(["all", f"{total[0]:,.2f}", "", "", f"{total[1]:,.1f}"])
    sizes = measured.sizes
    lines = [
        *aligned(rows, left=1),
        "",
        f"{items:,.0f} items on machines of {machine.cores} cores and {machine.memory_gb:g} GB, "
        f"within {machine.hours:g} hours: {plan.machines} of them for {plan.hours:,.2f} hours, "
        f"price {plan.price:,.2f} ({machine.price:g} an hour).",
        f"From {measured.command}, commit {measured.commit}, {measured.machine}: shops of "
        f"{', '.join(f'{size:,}' for size in sizes)} items.",
    ]
    between = errors(measured.runs, "cpu_s")
    if not between:
        lines.append("No size between them was measured: nothing has checked these lines.")
    for size, found in between.items():
        worst = max((s for s in found if s != "sum"), key=lambda s: abs(found[s]))
        lines.append(
            f"{size:,} items predicted from the outermost sizes: {found['sum']:+.0%} of all "
            f"processor seconds, {worst} {found[worst]:+.0%} at worst."
        )
    if items > _TRUSTED * sizes[-1]:
        lines.append(
            f"{items / sizes[-1]:,.0f} times the largest shop that was measured: a line drawn "
            "that far says the order of magnitude."
        )
    return "\n".join([*lines, _NOT_COUNTED]) + "\n"
