"""What models are asked to fill in: answers in a form, strict as services for them want it."""

# fmt: off
from schemas_written.common import (
    D7, D20, array, but, choice, closed, document, flag, number, record, ref2, table, text, texts,
    whole, without,
)

CASES = {}


def strict(properties, about=None, **more):
    """All members are required, and there are no others: what may be missing is null."""
    return closed(properties, " ".join(properties), about, **more)


def maybe(schema):
    return {"anyOf": [schema, {"type": "null"}]}


one = {"vendor": {"name": "Café Aare", "phone": None}, "date": "2025-01-10", "items": [{
    "name": "Espresso",
       "quantity": 2, "price": 4.5}], "total": 9.0, "tip": None, "payment": "card",
       "currency": "CHF"}
CASES["receipt"] = (
    document(None, "receipt", strict({
        "vendor": strict({"name": text("As printed"), "phone": maybe(text())}), "date": maybe(text(
            "Day of the purchase", format="date")), "items": array(strict({
                "name": text(), "quantity": number(exclusiveMinimum=0), "price": number(
                "Of one, with tax")})),
        "total": number(minimum=0), "tip": maybe(number(minimum=0)), "payment": choice(
            "cash card mobile voucher unknown"), "currency": text("ISO 4217",
            pattern="^[A-Z]{3}$")},
        "What a photo of a receipt shows")),
    [one, but(one, "date", None)],
    [without(one, "tip"), but(one, "payment", "twint"), but(one, "items|0|sku", "x"), but(one,
        "total", -1)])

one = {"steps": [{"explanation": "Subtract 7.", "output": "8x = -30"}], "final_answer": {
    "value": "-3.75", "unit": None},
       "confidence": 0.98}
CASES["math_reasoning"] = (
    document(None, "math_reasoning", strict({
        "steps": array(strict({"explanation": text("One sentence"), "output": text(
        "The equation after it")}),
                       "From the problem to the answer", minItems=1, maxItems=20),
                       "final_answer": strict({
                           "value": text(pattern="^-?[0-9]+(\\.[0-9]+|/[1-9][0-9]*)?$"),
                           "unit": maybe(choice(
                               "m kg s EUR %"))}), "confidence": number(minimum=0, maximum=1)})),
    [one, but(one, "final_answer", {"value": "1/3", "unit": "kg"})],
    [but(one, "steps", []), but(one, "final_answer|value", "x"), without(one, "steps|0|output")])

node = strict({"type": choice("div button header section field form"), "label": text(
    "Shown on it"), "children": array(
    ref2("node")), "attributes": array(strict({"name": text(pattern="^[a-z-]+$"), "value": text(
        )}))})
one = {"title": "Sign in", "root": {"type": "form", "label": "", "attributes": [{"name": "id",
    "value": "f"}], "children": [
    {"type": "button", "label": "Go", "children": [], "attributes": []}]}}
CASES["user_interface"] = (
    document(None, "ui", strict({"title": text(), "root": ref2("node")}, "A tree of elements"), **{
        "$defs": {
        "node": node}}),
    [one, but(one, "root|children", [])],
    [but(one, "root|type", "span"), without(one, "root|children|0|attributes"), but(one,
        "root|attributes|0|name", "ID")])

one = {"title": "On mills", "authors": [{"name": "J. Li", "affiliation": None}], "year": 2021,
    "identifiers": {
    "doi": "10.1000/xyz123", "arxiv": None}, "methods": ["survey"], "findings": [{
        "claim": "Wind helps.", "evidence": "strong",
                                                                                "pages": [3, 4]}]}
CASES["paper"] = (
    document(None, "paper", strict({
        "title": text(minLength=1), "authors": array(strict({"name": text(), "affiliation": {
        "type": ["string", "null"]}}),
                                                     minItems=1), "year": whole(minimum=1500,
                                                     maximum=2100), "identifiers":
        strict({"doi": maybe(text(pattern="^10\\.[0-9]{4,9}/\\S+$")), "arxiv": maybe(text(pattern=(
            "^[0-9]{4}\\.[0-9]{4,5}(v[0-9]+)?$")))}), "methods": array(choice(
                "experiment survey simulation theory review")), "findings": array(strict({
                    "claim": text(maxLength=300), "evidence": choice("weak moderate strong"),
                    "pages": array(whole(
                        minimum=1))}))}, "What a paper says")),
    [one, but(one, "identifiers|arxiv", "2101.00001v2")],
    [but(one, "year", 21), but(one, "identifiers|doi", "xyz"), but(one, "authors", []), but(
        one, "findings|0|evidence", "none")])

one = {"topic": "billing", "urgency": 3, "language": "de", "customer": {"tier": "pro",
    "id": "C-1042"}, "entities": [{
    "kind": "invoice", "value": "RE-12"}], "reply": {"tone": "friendly", "draft": "Guten Tag,"}}
CASES["ticket_triage"] = (
    document(None, "ticket", strict({
        "topic": {"description": "What it is about", "enum": ["billing", "bug", "feature",
        "account", "other"]}, "urgency": {
            "type": "integer", "enum": [1, 2, 3, 4, 5]}, "language": text(pattern="^[a-z]{2}$"),
            "customer": maybe(strict({
                "tier": choice("free pro enterprise"), "id": text(pattern="^C-[0-9]+$")})),
                "entities": array(strict({
                    "kind": choice("invoice order device person date"), "value": text(
                    minLength=1)}), maxItems=10), "reply":
        strict({"tone": choice("formal friendly apologetic"), "draft": text(maxLength=2000)})})),
    [one, but(one, "customer", None)],
    [but(one, "urgency", 6), but(one, "customer|id", "1042"), but(one, "language", "German"), but(
        one, "topic", "sales")])

one = {"company": "Acme", "period": {"quarter": "Q2", "year": 2024}, "figures": {"revenue": {
    "value": 12.5, "scale":
       "million", "change_percent": -3.2}, "margin": None}, "guidance": [{"metric": "revenue",
       "low": 50, "high": 55}], "risks": []}
figure = strict({"value": number(), "scale": choice("one thousand million billion"),
    "change_percent": {"type": [
    "number", "null"]}})
CASES["earnings"] = (
    document(None, "earnings", strict({
        "company": text(), "period": strict({"quarter": {"enum": ["Q1", "Q2", "Q3", "Q4", "FY"]},
        "year": whole(
            minimum=1990, maximum=2050)}), "figures": strict({k: maybe(ref2("figure")) for k in (
            "revenue", "margin")}),
        "guidance": array(strict({"metric": text(), "low": number(), "high": number()})),
        "risks": array(text(
            maxLength=200), maxItems=5)}, "From a press release"), **{"$defs": {"figure": figure}}),
    [one, but(one, "figures|revenue", None)],
    [but(one, "period|quarter", "Q5"), but(one, "figures|revenue|scale", "m"), but(one, "risks", [
        "x"] * 6), without(
        one, "figures|margin")])

one = {"parties": [{"name": "Acme AG", "role": "landlord"}, {"name": "Jo Li", "role": "tenant"}],
    "term": {"start":
       "2025-04-01", "end": None, "notice": "P3M"}, "rent": {"amount": 1850, "includes": [
       "heating"]}, "clauses": [{
           "number": "4.2", "kind": "pets", "text": "None.", "unusual": True}]}
CASES["contract"] = (
    document(None, "lease", strict({
        "parties": array(strict({"name": text(), "role": choice(
        "landlord tenant guarantor agent")}), minItems=2), "term": strict({
            "start": text(format="date"), "end": {"type": ["string", "null"], "format": "date"},
            "notice": maybe(text(
                format="duration"))}), "rent": strict({"amount": number(exclusiveMinimum=0),
                "includes": array(choice(
                    "heating water power internet parking"), uniqueItems=True)}), "clauses": array(
                    strict({
                        "number": text(pattern="^[0-9]+(\\.[0-9]+)*$"), "kind": text(),
                        "text": text(), "unusual": flag()}))}),
        **{"$schema": D20}),
    [one, but(one, "term|end", "2026-03-31")],
    [but(one, "parties", one["parties"][:1]), but(one, "rent|includes", ["water", "water"]), but(
        one, "clauses|0|number", "four"), but(one, "term|start", "April")])

one = {"events": [{"what": "Founded", "when": {"year": 1891, "month": None}, "where": "Baden",
    "people": ["B", "B2"], "kind":
       "founding"}], "disputed": [{"statement": "x", "versions": ["a", "b"]}]}
CASES["timeline"] = (
    document(None, "timeline", strict({
        "events": array(strict({"what": text("In five words"), "when": strict({"year": whole(
        minimum=-3000, maximum=2100),
            "month": maybe(whole(minimum=1, maximum=12))}), "where": {"type": ["string", "null"]},
            "people": texts(), "kind": choice(
                "birth death founding battle treaty invention other")}), minItems=1),
                "disputed": array(strict({
                    "statement": text(), "versions": texts(minItems=2)}))})),
    [one, but(one, "disputed", [])],
    [but(one, "events|0|when|month", 13), but(one, "disputed|0|versions", ["a"]), but(one,
        "events|0|kind", "war")])

one = {"queries": [{"text": "mill wind", "weight": 1.0}], "filters": {"and": [{"field": "year",
    "op": "gte", "value": 2000}, {
    "or": [{"field": "lang", "op": "eq", "value": "de"}, {"field": "tag", "op": "in", "value": [
        "a"]}]}]}, "rewrite": "hypothetical"}
filter_ = {"anyOf": [strict({"field": choice("year lang tag author"), "op": choice(
    "eq ne gte lte in"), "value": {"anyOf": [
    text(), number(), texts()]}}), strict({"and": array(ref2("filter"), minItems=1)}), strict({
        "or": array(
        ref2("filter"), minItems=1)})]}
CASES["search_plan"] = (
    document(None, "search plan", strict({
        "queries": array(strict({"text": text(minLength=2), "weight": number(minimum=0,
        maximum=1)}), minItems=1, maxItems=5),
        "filters": maybe(ref2("filter")), "rewrite": choice("none expansion hypothetical decompose"
        "d")}), **{"$defs": {
            "filter": filter_}}),
    [one, but(one, "filters", None)],
    [but(one, "filters", {"and": []}), but(one, "filters|and|0|op", "like"), but(one,
        "queries|0|weight", 2)])

one = {"speakers": {"S1": "Jo", "S2": None}, "segments": [{"speaker": "S1", "start": 0.0,
    "end": 2.35, "text": "Hello.", "tone": [
    "calm"]}], "summary": ["They greet."], "decisions": [{"text": "Ship it", "owner": "S1",
        "due": "2025-02-01"}]}
CASES["meeting"] = (
    document(D7, "meeting", strict({
        "speakers": {"type": "object", "propertyNames": {"pattern": "^S[1-9][0-9]?$"},
        "additionalProperties": {"type": [
            "string", "null"]}, "minProperties": 1}, "segments": array(strict({"speaker": text(
            pattern="^S[1-9][0-9]?$"), "start":
                number(minimum=0), "end": number(minimum=0), "text": text(), "tone": array(choice(
                    "calm excited angry sad neutral"), maxItems=2)})), "summary": texts(minItems=1,
                    maxItems=7), "decisions": array(
                        strict({"text": text(), "owner": maybe(text()), "due": {"anyOf": [text(
                        format="date"), {
                            "const": "open"}]}}))})),
    [one, but(one, "decisions|0|due", "open")],
    [but(one, "speakers", {}), but(one, "speakers", {"Jo": None}), but(one, "segments|0|tone", [
        "happy"]), but(
        one, "decisions|0|due", "soon")])

one = {"functions": [{"name": "parse", "line": 12, "complexity": "O(n log n)", "calls": ["read"],
    "purity": "pure"}], "smells": [{
    "rule": "long-method", "lines": [4, 90], "severity": "minor"}], "language": {"name": "rust",
        "edition": "2021"}}
CASES["code_summary"] = (
    document(None, "code", strict({
        "functions": array(strict({"name": text(pattern="^[A-Za-z_]\\w*$"), "line": whole(
        minimum=1), "complexity": text(pattern=(
            "^O\\((1|log n|n|n log n|n\\^[2-9]|2\\^n|n!)\\)$")), "calls": texts(), "purity": choice(
            "pure reads writes unsafe")})),
        "smells": array(strict({"rule": text(pattern="^[a-z]+(-[a-z]+)*$"), "lines": array(whole(
        minimum=1), minItems=2,
                                maxItems=2), "severity": choice("info minor major critical")})),
                                "language": {"anyOf": [strict({
            "name": {"const": "rust"}, "edition": {"enum": ["2018", "2021", "2024"]}}), strict({
            "name": {"const": "python"},
                "version": text(pattern="^3\\.[0-9]+$")}), strict({"name": choice(
                "c go java other")})]}})),
    [one, but(one, "language", {"name": "python", "version": "3.12"})],
    [but(one, "language", {"name": "rust"}), but(one, "functions|0|complexity", "O(fast)"), but(
        one, "smells|0|lines", [4])])

one = {"name": "Lyra", "class": "ranger", "stats": {"str": 10, "dex": 16, "con": 12, "int": 11,
    "wis": 14, "cha": 8}, "inventory": [{
    "item": "bow", "count": 1, "magic": {"bonus": 1, "charges": None}}],
        "backstory": "Born at sea.", "alignment": ["chaotic", "good"]}
CASES["character"] = (
    document(None, "character", strict({
        "name": text(minLength=1, maxLength=40), "class": choice(
        "fighter wizard rogue ranger cleric bard"), "stats": strict({
            k: whole(minimum=3, maximum=20) for k in ("str", "dex", "con", "int", "wis", "cha")}),
            "inventory": array(strict({
                "item": text(), "count": whole(minimum=1, maximum=99), "magic": maybe(strict({
                "bonus": whole(minimum=-3, maximum=3),
                    "charges": maybe(whole(minimum=0))}))}), maxItems=12), "backstory": text(
                    maxLength=600), "alignment": {
                        "type": "array", "prefixItems": [choice("lawful neutral chaotic"), choice(
                        "good neutral evil")], "items":
                        False, "minItems": 2}})),
    [one, but(one, "inventory|0|magic", None)],
    [but(one, "stats|str", 21), without(one, "stats|cha"), but(one, "alignment", ["good",
        "chaotic"]), but(one, "class", "monk")])

one = {"trip": {"from": "2025-05-01", "to": "2025-05-03"}, "days": [{"date": "2025-05-01",
    "stops": [{"time": "09:30", "place": {
    "name": "Zytglogge", "lat": 46.948, "lon": 7.4474}, "cost": None, "kind": "sight"}]}],
        "budget": {"currency": "CHF", "total": 450}}
CASES["itinerary"] = (
    document(D20, "itinerary", strict({
        "trip": strict({"from": text(format="date"), "to": text(format="date")}), "days": array(
        strict({"date": text(format="date"),
            "stops": array(strict({"time": text(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$"),
            "place": strict({"name": text(), "lat":
                number(minimum=-90, maximum=90), "lon": number(minimum=-180, maximum=180)}),
                "cost": maybe(number(minimum=0)), "kind":
                choice("sight meal travel hotel activity")}), maxItems=10)}), minItems=1),
                "budget": strict({"currency": text(
                    pattern="^[A-Z]{3}$"), "total": number(minimum=0)})})),
    [one, but(one, "days|0|stops", [])],
    [but(one, "days|0|stops|0|time", "9:30"), but(one, "trip|from", "May"), but(one,
        "days|0|stops|0|place|lat", 91)])

one = {"words": [{"lemma": "laufen", "pos": "verb", "forms": {"present": ["laufe", "läufst"],
    "past": ["lief"]}, "level": "A1",
       "examples": [{"de": "Er läuft.", "en": "He runs."}], "gender": None}], "source": "de"}
CASES["vocabulary"] = (
    document(D7, "vocabulary", strict({
        "words": array(strict({"lemma": text(pattern="^[^\\s\\d]+( [^\\s\\d]+)*$"), "pos": choice(
            "noun verb adjective adverb preposition phrase"), "gender": {"enum": ["m", "f", "n",
            None]}, "forms": table(texts(
                minItems=1)), "level": {"enum": ["A1", "A2", "B1", "B2", "C1", "C2"]},
                "examples": array(table(text(minLength=2),
                    minProperties=2, maxProperties=2, propertyNames={"pattern": "^[a-z]{2}$"}),
                    maxItems=3)}), minItems=1),
        "source": text(pattern="^[a-z]{2}$")})),
    [one, but(one, "words|0|examples", [])],
    [but(one, "words|0|gender", "masculine"), but(one, "words|0|examples|0", {"de": "Ja"}), but(
        one, "words", []), but(
        one, "words|0|level", "A3")])

one = {"species": {"common": "Barn owl", "latin": "Tyto alba"}, "seen": {
    "at": "2025-01-10T21:14:00Z", "count": {"min": 1, "max": 2}},
       "signs": [{"kind": "call", "certain": True}], "habitat": ["farmland"], "photo": None}
CASES["sighting"] = (
    document(None, "sighting", strict({
        "species": {"anyOf": [strict({"common": text(), "latin": text(
        pattern="^[A-Z][a-z]+ [a-z]+( [a-z]+)?$")}), {
            "const": "unknown"}]}, "seen": strict({"at": text(format="date-time"), "count": {
            "anyOf": [whole(minimum=1), strict({
                "min": whole(minimum=0), "max": whole(minimum=1)})]}}), "signs": array(strict({
                "kind": choice(
                    "sight call track nest feather"), "certain": flag()}), minItems=1),
                    "habitat": array(choice(
                        "forest farmland water urban alpine"), uniqueItems=True), "photo": maybe(
                        text(format="uri"))})),
    [one, but(one, "species", "unknown")],
    [but(one, "species|latin", "tyto alba"), but(one, "signs", []), but(one, "seen|count", 0), but(
        one, "photo", "x y")])

one = {"verdict": "partly true", "claims": [{"quote": "It doubled.", "status": "false", "sources": [
    {"url": "https://a.example.org/1",
       "stance": "refutes"}]}], "speaker": {"name": "N", "office": None}, "rating": {"scale": [0,
       5], "value": 2.5}}
CASES["fact_check"] = (
    document(None, "fact check", strict({
        "verdict": {"type": "string", "enum": ["true", "mostly true", "partly true", "false",
        "unproven"]}, "claims": array(strict({
            "quote": text(minLength=3), "status": choice("true false unproven"), "sources": array(
            strict({"url": text(format="uri"),
                "stance": choice("supports refutes mentions")}))}), minItems=1), "speaker": maybe(
                strict({"name": text(), "office": {
                    "type": ["string", "null"]}})), "rating": strict({"scale": {"const": [0, 5]},
                    "value": number(minimum=0, maximum=5,
                        multipleOf=0.5)})})),
    [one, but(one, "speaker", None)],
    [but(one, "verdict", "half true"), but(one, "rating|value", 2.2), but(one, "rating|scale", [0,
        10]), but(one, "claims", [])])

one = {"pages": [{"number": 1, "blocks": [{"kind": "heading", "level": 1, "text": "A"}, {
    "kind": "table", "rows": [["a", "b"], ["1", "2"]]},
       {"kind": "list", "ordered": True, "items": ["x"]}]}], "language": "en", "rotated": 90}
CASES["page_layout"] = (
    document(D20, "page layout", strict({
        "pages": array(strict({"number": whole(minimum=1), "blocks": array({"oneOf": [
            strict({"kind": {"const": "heading"}, "level": whole(minimum=1, maximum=6),
            "text": text()}),
            strict({"kind": {"const": "paragraph"}, "text": text(), "box": array(number(minimum=0,
            maximum=1), minItems=4, maxItems=4)}),
            strict({"kind": {"const": "table"}, "rows": array(array(text(), minItems=1),
            minItems=1)}),
            strict({"kind": {"const": "list"}, "ordered": flag(), "items": texts(minItems=1)}),
            strict({"kind": {"const": "figure"}, "caption": {"type": ["string", "null"]}})]})}),
            minItems=1), "language": text(
                pattern="^[a-z]{2}$"), "rotated": {"enum": [0, 90, 180, 270]}})),
    [one, but(one, "pages|0|blocks", [{"kind": "paragraph", "text": "x", "box": [0, 0, 0.5, 1]}])],
    [but(one, "pages|0|blocks|0|level", 7), but(one, "rotated", 45), but(one,
        "pages|0|blocks|1|rows", [[]]), but(
        one, "pages|0|blocks", [{"kind": "figure"}])])

one = {"intent": "book_table", "slots": {"people": 4, "time": {"relative": "tonight"},
    "name": None}, "missing": ["name"], "reply":
       "For which name?", "sentiment": {"label": "neutral", "score": 0.1}}
moment = {"anyOf": [strict({"absolute": text(format="date-time")}), strict({"relative": choice(
    "now today tonight tomorrow weekend")})]}
CASES["dialogue_state"] = (
    document(None, "state of a dialogue", {"anyOf": [
        strict({"intent": {"const": "book_table"}, "slots": strict({"people": maybe(whole(
        minimum=1, maximum=20)), "time": maybe(ref2(
            "moment")), "name": {"type": ["string", "null"]}}), "missing": array(choice(
            "people time name")), "reply": text(), "sentiment":
            ref2("sentiment")}),
        strict({"intent": {"const": "cancel"}, "slots": strict({"code": maybe(text(
        pattern="^[A-Z0-9]{6}$"))}), "missing": array({
            "const": "code"}, maxItems=1), "reply": text(), "sentiment": ref2("sentiment")}),
        strict({"intent": {"const": "smalltalk"}, "reply": text(minLength=1), "sentiment": ref2(
        "sentiment")})]}, **{"$defs": {
            "moment": moment, "sentiment": strict({"label": choice("positive neutral negative"),
            "score": number(minimum=-1, maximum=1)})}}),
    [one, {"intent": "cancel", "slots": {"code": "A1B2C3"}, "missing": [], "reply": "Done",
        "sentiment": {"label": "positive", "score": 1}}],
    [but(one, "intent", "cancel"), but(one, "missing", ["code"]), but(one, "slots|time", {
        "relative": "later"}), without(one, "sentiment")])

one = {"table": "orders", "columns": [{"name": "id", "type": {"kind": "integer", "bits": 64},
    "key": "primary"}, {"name": "total", "type": {
    "kind": "decimal", "precision": 10, "scale": 2}, "key": None}], "indexes": [{"columns": [
        "total"], "unique": False}], "comment": None}
CASES["table_design"] = (
    document(None, "table", strict({
        "table": text(pattern="^[a-z][a-z0-9_]*$"), "columns": array(strict({"name": text(
        pattern="^[a-z][a-z0-9_]*$"), "type": {"anyOf": [
            strict({"kind": {"const": "integer"}, "bits": {"enum": [16, 32, 64]}}), strict({
            "kind": {"const": "decimal"}, "precision": whole(
                minimum=1, maximum=38), "scale": whole(minimum=0, maximum=38)}), strict({"kind": {
                "const": "text"}, "length": maybe(whole(
                    minimum=1))}), strict({"kind": choice("boolean date timestamp uuid json")})]},
                    "key": {"enum": [
                        "primary", "unique", "foreign", None]}}), minItems=1), "indexes": array(
                        strict({"columns": texts(minItems=1), "unique":
                            flag()})), "comment": {"type": ["string", "null"]}})),
    [one, but(one, "columns|0|type", {"kind": "text", "length": None})],
    [but(one, "columns|0|type", {"kind": "integer"}), but(one, "table", "Orders"), but(one,
        "columns", []), but(one, "columns|0|key", "main")])

one = {"headline": "Mill turns again", "persons": [{"name": "Jo Li", "role": "miller"}], "places": [
    {"name": "Bern", "country": "CH"}],
       "topics": ["culture"], "quotes": [{"by": "Jo Li", "text": "At last.", "translated": False}],
       "published": "2025-01-10"}
CASES["news"] = (
    document(None, "news", strict({
        "headline": text("Not longer than a line", maxLength=90), "persons": array(strict({
        "name": text(), "role": maybe(text())})), "places":
        array(strict({"name": text(), "country": maybe(text(pattern="^[A-Z]{2}$"))})),
        "topics": array({"type": "string", "enum": [
            "politics", "economy", "culture", "sport", "science", "weather", "crime"]}, minItems=1,
            maxItems=3), "quotes": array(strict({
                "by": text(), "text": text(minLength=1), "translated": flag()})), "published": {
                "anyOf": [text(format="date"), text(
                    format="date-time"), {"type": "null"}]}})),
    [one, but(one, "published", "2025-01-10T06:00:00Z")],
    [but(one, "topics", []), but(one, "places|0|country", "Switzerland"), but(one, "published",
        "today"), but(one, "quotes|0|text", "")])

one = {"answers": {"q1": {"choice": "b", "other": None}, "q2": {"scale": 4}, "q3": {
    "text": "More trees"}}, "complete": True, "seconds": 81.5}
CASES["survey"] = (
    document(D20, "survey", {"type": "object", "properties": {
        "answers": {"type": "object", "patternProperties": {"^q[0-9]{1,2}$": {"oneOf": [
            closed({"choice": text(pattern="^[a-f]$"), "other": {"type": ["string", "null"],
            "maxLength": 140}}, "choice"),
            closed({"choices": array(text(pattern="^[a-f]$"), minItems=1, uniqueItems=True)},
            "choices"),
            closed({"scale": whole(minimum=1, maximum=5)}, "scale"), closed({"text": text(
            maxLength=1000)}, "text"),
            {"const": "skipped"}]}}, "additionalProperties": False}, "complete": flag(),
            "seconds": number(minimum=0)},
        "required": ["answers", "complete"], "additionalProperties": False, "if": {"properties": {
        "complete": {"const": True}}}, "then": {
            "required": ["seconds"]}}),
    [one, {"answers": {"q1": "skipped", "q2": {"choices": ["a", "c"]}}, "complete": False}],
    [without(one, "seconds"), but(one, "answers|q2|scale", 6), but(one, "answers|x", "skipped"),
        but(one, "answers|q1|choice", "g")])
