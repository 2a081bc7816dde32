"""python verify.py [DIGEST] checks report.json against ledger.jsonl beside it. Exit 0: agree; 1: not; 2: unreadable."""

import hashlib
import json
import math
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

STABLE_S = 5.0  # a stable vote had arrived in every region so long after its reply
CLASSES = ("stable", "late", "lost", "never-read", "ambiguous-applied", "ambiguous-absent", "refused")
CANONICAL: dict[str, Any] = {"sort_keys": True, "separators": (",", ":"), "ensure_ascii": False}
Entry = dict[str, Any]


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read(text: str) -> tuple[list[Entry], str]:
    """The entries of a ledger and its last digest. Raises ValueError, which names the altered line."""
    lines, last = text.split("\n")[:-1], digest_of("")
    for number, line in enumerate(lines, 1):
        if not line.endswith(f'"previous":"{last}"}}'):
            raise ValueError(f"line {number - 1} or {number} was altered: {number} does not follow from the other")
        last = digest_of(line)
    return [json.loads(line) for line in lines], last


def figures(entries: list[Entry], strategy: str) -> Entry:
    """Every figure in one strategy's report."""
    lines: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.get("strategy", strategy) == strategy:
            lines[entry["line"]].append(entry)
    sent, acks = ({e["vote_id"]: e for e in reversed(lines[kind])} for kind in ("sent", "acknowledged"))
    regions = lines["run"][0]["strategies"][strategy]
    acts = [act["at"] for act in lines["act"] if act["what"] != "prepare"] or [math.inf]
    broken, over = min(acts), max(acts)
    replies = [(not (t["http"] in (0, 429) or t["http"] >= 500), t["at"]) for t in lines["try"]]
    failed = [at for is_good, at in replies if not is_good and at >= broken]
    home = {ack["region"] for ack in acks.values() if ack["at"] < broken}
    moves = [("switched", ack["at"]) for ack in acks.values() if ack["region"] not in home]
    log = [(event["kind"], event["at"]) for event in lines["event"]] if strategy == "router" else moves
    log += [("recovered", at) for is_good, at in replies if is_good and at >= max(failed, default=0)]

    def after(start: float, *kinds: str) -> float | None:
        times = [at for kind, at in log if kind in kinds and at >= start]
        return round((min(times) - start) * 1000, 1) if times else None

    waits: dict[str, list[float]] = {"before": [], "during": [], "after": []}
    for vote_id, ack in acks.items():
        due = sent[vote_id]["due"]
        waits["before" if due < broken else "during" if due < over else "after"].append(ack["ms"])
    latency: Entry = {}
    for name, ms in waits.items():  # a percentile is a value that so many per cent of the values do not exceed
        latency[name] = {f"p{p}": sorted(ms)[math.ceil(p / 100 * len(ms)) - 1] if ms else None for p in (50, 99)}
    clocks = [(sent[v]["at"], ack["recorded_at"] or ack["at"], ack["at"]) for v, ack in acks.items()]
    calls = sum(call["outcome"] != "skipped" for ack in acks.values() for call in ack["attempts"])
    classes, beside = classify(lines, sent, acks, regions)
    votes = {"attempted": len(sent), "acknowledged": len(acks), "failed": len(sent) - len(acks) - classes["refused"]}
    votes |= {"found": classes["stable"] + classes["late"], "late": classes["late"], "lost": classes["lost"]} | beside
    return {
        "votes": votes,
        "classes": classes,
        "latency_ms": latency | {"worst": max((ack["ms"] for ack in acks.values()), default=None)},
        "latency_void": sum(sample["cpu"] - 0.7 for sample in lines["sample"]) > 0,
        "rto_ms": after(broken, "recovered") if failed else 0.0,
        "rpo_votes": classes["lost"],
        "detected_ms": after(broken, "circuit-opened"),
        "switched_ms": after(broken, "failover", "switched"),
        "failback_ms": after(over, "failback"),
        "regions": {region: sum(ack["region"] == region for ack in acks.values()) for region in regions},
        "extra_calls": len(lines["try"]) - len(lines["sent"]) + calls - len(acks),
        "clocks_ms": round(max([0.0, *(max(a - at, at - b) for a, at, b in clocks)]) * 1000, 1),
    }


def classify(lines: dict[str, list[Entry]], sent: Entry, acks: Entry, regions: list[str]) -> tuple[Entry, Entry]:
    """How many votes are in each class, and what is counted beside the classes."""
    changes = lines["run"][0]["may_change"]
    arrived: Entry = defaultdict(dict)  # region -> vote_id -> when
    held: dict[tuple[str, int], Entry] = {}  # (region, round) -> voter -> the vote that stands
    foreign, applied, doubled, of_voter = set(), set(), 0, defaultdict(list)
    for entry in lines["seen"]:
        arrived[entry["region"]] = dict.fromkeys(entry["votes"], entry["at"]) | arrived[entry["region"]]
    for final in (final for final in lines["final"] if final["rows"] is not None):
        stands = held.setdefault((final["region"], final["round"]), {})
        for voter, vote_id, answers in final["rows"]:
            if sent.get(vote_id, {}).get("voter") != voter:
                foreign.add((voter, vote_id))
            elif answers == digest_of(json.dumps(sent[vote_id]["answers"], **CANONICAL))[:16]:
                applied.add(vote_id)
                stands[voter] = (max if changes else min)(vote_id, stands.get(voter, vote_id))
        doubled = max(doubled, (final["counted"] or 0) - len({voter for voter, *_ in final["rows"]}))
    for vote_id, vote in sent.items():
        of_voter[vote["voter"]].append(vote_id)
    refused = {entry["vote_id"] for entry in lines["refused"]} - acks.keys()
    counts, reverted = dict.fromkeys(CLASSES, 0), 0
    for vote_id, vote in sent.items():
        if vote_id not in acks:
            was_seen = vote_id in applied or any(vote_id in times for times in arrived.values())
            kind = "refused" if vote_id in refused else "ambiguous-applied" if was_seen else "ambiguous-absent"
        else:
            places = [stands for (_, number), stands in held.items() if number == acks[vote_id]["round"]]
            good = {later for later in of_voter[vote["voter"]] if later >= vote_id} if changes else {vote_id}
            took_s = max(min(arrived[r].get(v, math.inf) for v in good) for r in regions) - acks[vote_id]["at"]
            is_found = all(stands.get(vote["voter"]) in good for stands in places)
            kind = "lost" if not is_found else "stable" if took_s <= STABLE_S else "late"
            kind = kind if places else "never-read"
            reverted += kind == "lost" and any(vote["voter"] in stands for stands in places)
        counts[kind] += 1
    if totals := [f["counted"] for f in lines["final"] if f["rows"] is None and f["counted"] is not None]:
        lost = max(0, len(acks) - min(totals))  # a counter keeps no rows: only its sum can be compared
        counts |= {"stable": len(acks) - lost, "lost": lost, "never-read": 0}
        doubled = max(0, max(totals) - len(acks))
    return counts, {"duplicated": len(foreign) + doubled, "reverted": reverted}


def main(directory: Path, expected: str = "") -> tuple[int, str]:
    """The exit code and what to print. `expected` is the last digest, when it is known."""
    try:
        report = json.loads((directory / "report.json").read_text(encoding="utf-8"))
        text = (directory / "ledger.jsonl").read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError) as error:
        return 2, f"cannot be read: {error}"
    try:
        entries, last = read(text)
        claims = {"report's digest": report["digest"], "digest that you gave": expected or last}
        wrong = [f"the {name} is {end}, and the ledger ends with {last}" for name, end in claims.items() if end != last]
        runs, names = report.get("runs", [report]), next((e["strategies"] for e in entries if e["line"] == "run"), ())
        wrong += ["other strategies were played"] * (sorted(run["strategy"] for run in runs) != sorted(names))
        for run in runs:
            computed = figures(entries, run["strategy"])
            differing = [name for name in computed if run.get(name, math.nan) != computed[name]]
            wrong += [f"{run['strategy']}: {n} is {run.get(n)}, and the ledger says {computed[n]}" for n in differing]
            flat = computed | computed["votes"] | computed["classes"] | computed["latency_ms"]
            wrong += [row["text"] for row in run["hypothesis"] if flat.get(row["measure"]) != row["measured"]]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        wrong = [f"{error}" if isinstance(error, ValueError) else f"no drill writes such a file: {error!r}"]
    if wrong:
        return 1, "does not agree: " + "\n".join(wrong)
    return 0, f"{len(entries)} lines agree with the report; last digest {last}"


if __name__ == "__main__":
    exit_code, message = main(Path(__file__).resolve().parent, *sys.argv[1:2])
    sys.stdout.write(f"{message}\n")
    sys.exit(exit_code)
