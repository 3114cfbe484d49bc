"""Records that are exchanged: places, calendars, contacts, invoices, measurements, media."""

# fmt: off
from schemas_written.common import (
    D4, D6, D7, D19, D20, array, but, choice, closed, document, flag, number, record, ref, ref2,
    table, text, texts, whole, without,
)

CASES = {}
COUNTRY = text("Two letters", pattern="^[A-Z]{2}$")
CURRENCY = text("Three letters", pattern="^[A-Z]{3}$")
MOMENT = text(format="date-time")
DAY = text(format="date")

# Places
position = array(number(), "Longitude, latitude, height", minItems=2, maxItems=3)
line = array(ref("position"), minItems=2)
ring = array(ref("position"), "Closed: the last is the first", minItems=4)
SHAPES = {"Point": ref("position"), "MultiPoint": array(ref("position")), "LineString": line,
          "MultiLineString": array(line), "Polygon": array(ring), "MultiPolygon": array(array(
          ring))}
GEO = {"position": position, "geometry": {"oneOf": [
    record({"type": {"const": name}, "coordinates": shape, "bbox": array(
        number(), minItems=4, maxItems=6)}, "type coordinates") for name, shape in SHAPES.items(
        )] + [
    record({"type": {"const": "GeometryCollection"}, "geometries": array(ref("geometry"))},
           "type geometries")]}, "feature": record({
               "type": {"const": "Feature"}, "id": {"oneOf": [number(), text()]}, "properties": {
                   "oneOf": [{"type": "null"}, {"type": "object"}]}, "geometry": {"oneOf": [
                       {"type": "null"}, ref("geometry")]}}, "type properties geometry")}
one = {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"name": "Aare"},
       "geometry": {"type": "LineString", "coordinates": [[7.4, 46.9], [7.5, 46.95, 502]]}}]}
CASES["geojson_collection"] = (
    document(D7, "FeatureCollection", record({
        "type": {"const": "FeatureCollection"}, "features": array(ref("feature")), "bbox": array(
            number(), minItems=4, maxItems=6)}, "type features"), definitions=GEO),
    [one, but(one, "features", []), but(one, "features|0|geometry", None)],
    [but(one, "features|0|geometry|coordinates", [[7.4, 46.9]]), but(one, "type", "Features"), but(
        one, "features|0|geometry|type", "Point"), without(one, "features|0|properties")])
one = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
CASES["geojson_geometry"] = (
    document(D7, "geometry", ref("geometry"), definitions={k: GEO[k] for k in ("position",
                                                                              "geometry")}),
    [one, {"type": "GeometryCollection", "geometries": [one, {"type": "Point", "coordinates": [1,
        2]}]}],
    [but(one, "coordinates", [[[0, 0], [1, 0], [0, 0]]]), {"type": "Point", "coordinates": [1]},
     but(one, "type", "Circle")])
one = {"type": "Topology", "objects": {"a": {"type": "Polygon", "arcs": [[0, -2]], "id": 3}},
    "arcs": [
    [[0, 0], [3, 4]], [[1, 1], [2, 2]]], "transform": {"scale": [0.01, 0.01], "translate": [5, 47]}}
CASES["topojson"] = (
    document(D4, "Topology", record({
        "type": {"enum": ["Topology"]}, "objects": {"type": "object", "additionalProperties": ref(
            "object")}, "arcs": array(array(ref("position"), minItems=2)), "transform": record({
                k: array(number(), minItems=2, maxItems=2) for k in ("scale", "translate")},
                "scale translate"), "bbox": array(number())}, "type objects"), definitions={
            "position": array(number(), minItems=2), "arc": array({"type": "integer"}), "object": {
                "type": "object", "required": ["type"], "properties": {"id": {"type": [
                    "string", "integer"]}, "properties": {"type": "object"}}, "oneOf": [
                        {"properties": {"type": {"enum": ["Point"]}, "coordinates": ref(
                        "position")},
                         "required": ["coordinates"]},
                        {"properties": {"type": {"enum": ["LineString"]}, "arcs": ref("arc")},
                         "required": ["arcs"]},
                        {"properties": {"type": {"enum": ["Polygon", "MultiLineString"]}, "arcs":
                                        array(ref("arc"))}, "required": ["arcs"]}]}}),
    [one, {"type": "Topology", "objects": {}, "arcs": []}],
    [but(one, "objects|a|arcs", [0, 1]), but(one, "transform", {"scale": [1, 1]}), but(
        one, "arcs|0", [[0, 0]]), but(one, "objects|a|type", "Point")])
one = {"stop_id": "8507000", "stop_name": "Bern", "stop_lat": 46.949, "stop_lon": 7.439,
    "departures": [
    {"trip": "IC 1", "scheduled": "2025-01-10T08:02:00+01:00", "delay": 120, "platform": "7A-C"}]}
CASES["departures"] = (
    document(D7, "board of departures", record({
        "stop_id": text(minLength=1), "stop_name": text(), "stop_lat": number(minimum=-90,
        maximum=90),
        "stop_lon": number(minimum=-180, maximum=180), "location_type": {"enum": [0, 1, 2, 3, 4]},
        "departures": array({"type": "object", "required": ["trip", "scheduled"], "properties": {
            "trip": text(), "headsign": text(), "scheduled": MOMENT, "expected": MOMENT, "delay":
            whole("Seconds", minimum=-3600, maximum=86400), "cancelled": flag(default=False),
            "platform": text(pattern="^[0-9]{1,3}(-[0-9]{1,3})?([A-Z](-[A-Z])?)?$"),
            "occupancy": choice(
                "EMPTY MANY_SEATS_AVAILABLE FEW_SEATS_AVAILABLE STANDING_ROOM_ONLY FULL")}, "not": {
                    "required": ["expected", "delay"]}})}, "stop_id stop_name", dependencies={
                        "stop_lat": ["stop_lon"], "stop_lon": ["stop_lat"]})),
    [one, {"stop_id": "1", "stop_name": "x"}],
    [without(one, "stop_lon"), but(one, "departures|0|platform", "north"), but(
        one, "departures|0|expected", "2025-01-10T08:04:00+01:00"), but(one, "stop_lat", 100)])

# Calendars and people
one = ["vcalendar", [["version", {}, "text", "2.0"]], [["vevent", [
    ["dtstart", {"tzid": "Europe/Zurich"}, "date-time", "2025-01-10T08:00:00"], [
        "summary", {}, "text", "Lecture"]], []]]]
CASES["jcal"] = (
    document(D20, "jCal", ref2("component"), **{"$defs": {
        "component": {"type": "array", "prefixItems": [text(pattern="^[a-z][a-z0-9-]*$"), array(
        ref2(
            "property")), array(ref2("component"))], "minItems": 3, "items": False},
        "property": {"type": "array", "prefixItems": [text(pattern="^[a-z][a-z0-9-]*$"), {
            "type": "object", "additionalProperties": {"type": ["string", "array"]}}, choice(
                "binary boolean cal-address date date-time duration float integer period recur tex"
                "t "
                "time unknown uri utc-offset")], "minItems": 4, "items": {"type": [
                    "string", "number", "boolean", "object", "array"]}}},
        "description": "A calendar as nested lists"}),
    [one, ["vtodo", [["due", {}, "date", "2025-02-01"], ["x", {"a": ["b"]}, "text", "c", "d"]], [
        ]]],
    [["vevent", []], ["VEVENT", [], []], ["vevent", [["due", {}, "date"]], []], [
        "vevent", [["due", {}, "day", "x"]], []]])
one = {"@type": "Event", "uid": "a8df6573", "updated": "2025-01-02T18:23:04Z", "title": "Standup",
       "start": "2025-01-06T09:15:00", "duration": "PT15M", "timeZone": "Europe/Zurich",
       "recurrenceRules": [{"@type": "RecurrenceRule", "frequency": "weekly", "byDay": [{
       "day": "mo"}]}],
       "participants": {"x": {"@type": "Participant", "name": "Jo", "roles": {"owner": True}}}}
CASES["js_calendar"] = (
    document(D20, "JSCalendar event", record({
        "@type": {"const": "Event"}, "uid": text(minLength=1, maxLength=255), "updated": text(
            format="date-time", pattern="Z$"), "title": text(), "start": ref2("local"),
            "duration": text(
                format="duration"), "timeZone": {"type": ["string", "null"]}, "status": choice(
                    "confirmed cancelled tentative"), "showWithoutTime": flag(default=False),
        "recurrenceRules": array(record({
            "@type": {"const": "RecurrenceRule"}, "frequency": choice(
                "yearly monthly weekly daily hourly minutely secondly"), "interval": whole(
                minimum=1),
            "byDay": array(record({"day": choice("mo tu we th fr sa su"), "nthOfPeriod": {
                "type": "integer", "not": {"const": 0}}}, "day")), "byMonth": array(text(
                    pattern="^(1[0-2]|[1-9])L?$")), "count": whole(minimum=1), "until": ref2(
                    "local")},
            "frequency", **{"not": {"required": ["count", "until"]}})),
        "participants": table(record({
            "@type": {"const": "Participant"}, "name": text(), "email": text(format="email"),
            "roles": {
                "type": "object", "propertyNames": {"enum": ["owner", "attendee", "optional",
                "chair"]},
                "additionalProperties": {"const": True}, "minProperties": 1}, "participationStatus":
            choice("needs-action accepted declined tentative")}, "roles")), "alerts": table(record({
                "trigger": {"oneOf": [record({"offset": text(pattern="^[+-]?P.+$")}, "offset"),
                record(
                    {"when": MOMENT}, "when")]}, "action": choice("display email")}, "trigger"))},
        "@type uid updated start"), **{"$defs": {"local": text(
            pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$")}}),
    [one, but(one, "alerts", {"1": {"trigger": {"offset": "-PT5M"}}})],
    [but(one, "start", "2025-01-06T09:15:00Z"), but(one, "recurrenceRules|0|byDay|0|nthOfPeriod",
        0),
     but(one, "participants|x|roles", {}), but(one, "updated", "2025-01-02T18:23:04+01:00")])
one = {"fn": "Mira Koch", "n": {"family": "Koch", "given": ["Mira"]}, "tel": [{
    "type": ["cell", "voice"], "value": "tel:+41-31-555-0101"}], "adr": {"street": "Gasse 3",
        "locality":
    "Bern", "country": "CH"}, "bday": "--04-12", "categories": ["friends"]}
CASES["contact_card"] = (
    document(D6, "contact", record({
        "fn": {"description": "As it is shown", "type": "string", "minLength": 1}, "n": record({
            "family": text(), **{k: array(text()) for k in ("given", "additional", "prefixes",
                                                            "suffixes")}}), "nickname": texts(),
        "bday": text("With or without the year", pattern=(
            "^(([0-9]{4}|-)-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])|[0-9]{4})$")), "email": array(
            record(
                {"type": choice("home work"), "value": text(format="email"), "pref": whole(
                    minimum=1, maximum=100)}, "value")), "tel": array(record({"type": array(choice(
                        "text voice fax cell video pager home work"), minItems=1, uniqueItems=True),
                        "value": text(format="uri")}, "value")), "adr": {"anyOf": [ref("adr"),
                        array(
                            ref("adr"))]}, "geo": text(pattern=r"^geo:-?\d+(\.\d+)?,-?\d+(\.\d+)?$"
                            ""),
        "categories": texts(), "photo": text(pattern="^(https?://|data:image/(png|jpeg);base64,)"),
        "rev": MOMENT}, "fn"), definitions={"adr": record({
            k: text() for k in ("street", "locality", "region", "code", "country")}, "country",
            dependencies={"region": ["locality"]})}),
    [one, {"fn": "Acme", "adr": [], "geo": "geo:46.948,7.447"}],
    [but(one, "bday", "04-12"), but(one, "tel|0|type", ["cell", "cell"]), but(
        one, "adr", {"region": "BE", "country": "CH"}), but(one, "fn", "")])
one = {"basics": {"name": "Jo Li", "email": "jo@example.com", "location": {"countryCode": "CH"},
                  "profiles": [{"network": "x", "url": "https://x.example.com/jo"}]}, "work": [{
    "name": "Acme", "startDate": "2019-03", "highlights": ["Built it"]}], "skills": [{
        "name": "Rust", "level": "Master", "keywords": ["no_std"]}]}
CASES["resume"] = (
    document(D7, "resume", closed({
        "$schema": text(format="uri"), "basics": record({
            "name": text(), "label": text(), "image": text(), "email": text(format="email"),
            "url": text(
                format="uri"), "summary": text(), "location": record({"address": text(),
                "city": text(),
                                                                      "countryCode": COUNTRY}),
            "profiles": array(record({"network": text(), "username": text(), "url": text(
                format="uri")}))}), "work": array(record({
                    "name": text(), "position": text(), "startDate": ref("iso"), "endDate": ref(
                    "iso"),
                    "summary": text(), "highlights": texts()})), "education": array(record({
                        "institution": text(), "area": text(), "studyType": text(), "score": text(),
                        "startDate": ref("iso"), "courses": texts()})), "skills": array(record({
                            "name": text(), "level": text(), "keywords": texts()})),
                            "languages": array(
                                record({"language": text(), "fluency": text()}))}), definitions={
            "iso": text("Year, with month and day or not", pattern=(
                "^([1-2][0-9]{3}-[0-1][0-9]-[0-3][0-9]|[1-2][0-9]{3}-[0-1][0-9]|[1-2][0-9]{3})$"
                ""))}),
    [one, {"languages": [{"language": "de", "fluency": "native"}]}],
    [but(one, "work|0|startDate", "March 2019"), but(one, "basics|location|countryCode", "ch"), but(
        one, "hobbies", []), but(one, "basics|email", "jo")])

# Trade
one = {"number": "RE-2025-0042", "issued": "2025-02-01", "due": "2025-03-03", "currency": "CHF",
       "seller": {"name": "Acme AG", "vat": "CHE-123.456.789 MWST", "address": {
           "street": "Gasse 3", "zip": "3011", "city": "Bern", "country": "CH"}}, "buyer": {
               "name": "Jo Li", "address": {"zip": "8001", "city": "Zürich", "country": "CH"}},
               "lines": [
    {"description": "Consulting", "quantity": 7.5, "unit": "h", "price": 180.00, "tax": 8.1}],
        "total":
    1459.35}
amount = number(minimum=0, multipleOf=0.01)
CASES["invoice"] = (
    document(D7, "invoice", closed({
        "number": text(pattern="^[A-Z]{2}-[0-9]{4}-[0-9]{4}$"), "issued": DAY, "due": DAY,
        "currency":
        CURRENCY, "seller": {"allOf": [ref("party"), {"required": ["vat"]}]}, "buyer": ref("party"),
        "lines": array(ref("line"), minItems=1), "discount": {"oneOf": [
            closed({"percent": number(exclusiveMinimum=0, maximum=100)}, "percent"), closed({
                "amount": amount}, "amount")]}, "total": amount, "notes": text(maxLength=2000),
                "payment":
        closed({"iban": text(pattern="^[A-Z]{2}\\d{2}[A-Z0-9]{11,30}$"), "reference": text(
            pattern="^(\\d{27}|RF\\d{2}[A-Z0-9]{1,21})$")}, "iban")},
        "number issued currency seller buyer lines total"), definitions={
        "party": record({"name": text(minLength=1), "vat": text(), "address": record({
            "street": text(), "zip": text(), "city": text(), "country": COUNTRY},
            "zip city country")},
            "name address"), "line": closed({
                "description": text(), "quantity": number(exclusiveMinimum=0), "unit": choice(
                    "h d pcs kg m month"), "price": amount, "tax": {"enum": [0, 2.6, 3.8, 8.1]}},
                "description quantity price")}),
    [one, but(one, "discount", {"percent": 2.5})],
    [without(one, "seller|vat"), but(one, "lines|0|price", 10.001), but(one, "lines|0|tax", 7.7),
        but(
        one, "discount", {"percent": 5, "amount": 5}), but(one, "issued", "2025-02-30")])
one = {"order_id": 1042, "status": "shipped", "lines": [{"sku": "A-1", "qty": 2, "unit_price": {
    "value": "19.90", "currency": "EUR"}}], "shipping": {"method": "express", "tracking": ["1Z999"],
    "address": {"name": "Jo", "lines": ["Gasse 3"], "postcode": "10115", "country": "DE"}},
        "placed_at":
    "2025-01-02T10:00:00Z", "coupon": None}
CASES["order"] = (
    document(D20, "order", {"type": "object", "properties": {
        "order_id": whole(minimum=1), "status": choice("cart placed paid shipped returned"),
        "lines": {
            "type": "array", "items": ref2("line"), "minItems": 1, "contains": {"properties": {
            "qty": {
                "minimum": 1}}}}, "shipping": ref2("shipping"), "coupon": {"anyOf": [
                    {"type": "null"}, text(pattern="^[A-Z0-9]{6,12}$")]}, "placed_at": MOMENT,
                    "notes":
        text()}, "required": ["order_id", "status", "lines"], "unevaluatedProperties": False,
        "if": {
            "properties": {"status": {"const": "shipped"}}}, "then": {"required": ["shipping"],
            "properties": {"shipping": {"required": ["tracking"]}}}}, **{"$defs": {
        "money": closed({"value": text(pattern="^-?[0-9]+(\\.[0-9]{2})?$"), "currency": CURRENCY},
                        "value currency"), "line": record({
                            "sku": text(pattern="^[A-Z]-[0-9]+$"), "qty": whole(minimum=0),
                            "unit_price":
                            ref2("money"), "gift": flag()}, "sku qty unit_price"),
                            "shipping": record({
                                "method": choice("standard express pickup"), "tracking": texts(
                                    minItems=1), "address": record({
                                        "name": text(), "lines": array(text(), minItems=1,
                                        maxItems=3),
                                        "postcode": text(), "country": COUNTRY}, "lines country")},
                                "method")}}),
    [one, {"order_id": 1, "status": "cart", "lines": [one["lines"][0]], "coupon": "SUMMER25"}],
    [without(one, "shipping|tracking"), but(one, "lines", []), but(one, "coupon", "x"), but(
        one, "lines|0|unit_price|value", "19.9")])
one = {"@context": "https://schema.org", "@type": "Product", "name": "Mill", "sku": "M1", "gtin13":
       "7612345678900", "offers": {"@type": "Offer", "price": "49.00", "priceCurrency": "CHF",
                                   "availability": "https://schema.org/InStock"},
                                   "aggregateRating": {
           "@type": "AggregateRating", "ratingValue": 4.5, "reviewCount": 12}}
CASES["product_markup"] = (
    document(D7, "Product", record({
        "@context": {"enum": ["https://schema.org", "https://schema.org/", "http://schema.org"]},
        "@type": {"anyOf": [{"const": "Product"}, {"type": "array", "contains": {
        "const": "Product"}}]},
        "name": text(minLength=1), "description": text(), "sku": text(), "gtin13": text(
            pattern="^\\d{13}$"), "image": {"oneOf": [text(format="uri"), array(
                text(format="uri"), minItems=1)]}, "brand": record({"@type": choice(
                    "Brand Organization"), "name": text()}, "@type name"), "offers": {"anyOf": [
                        ref("offer"), array(ref("offer"), minItems=1)]}, "aggregateRating": record({
                            "@type": {"const": "AggregateRating"}, "ratingValue": {"anyOf": [
                                number(minimum=0, maximum=5), text(pattern="^[0-5](\\.[0-9])?$")]},
                            "reviewCount": whole(minimum=1), "ratingCount": whole(minimum=1)},
                            "@type ratingValue", anyOf=[{"required": ["reviewCount"]}, {
                            "required": [
                                "ratingCount"]}])}, "@context @type name"), definitions={
        "offer": record({"@type": {"const": "Offer"}, "price": {"type": ["string", "number"]},
                         "priceCurrency": CURRENCY, "availability": text(pattern=(
                             "^https?://schema\\.org/(InStock|OutOfStock|PreOrder|Discontinued)$")),
                         "priceValidUntil": DAY}, "@type price priceCurrency")}),
    [one, but(one, "@type", ["Product", "Vehicle"])],
    [but(one, "@type", ["Vehicle"]), but(one, "aggregateRating|ratingValue", 7), without(
        one, "offers|price"), but(one, "gtin13", "123"), without(one,
        "aggregateRating|reviewCount")])
one = {"GrpHdr": {"MsgId": "M1", "CreDtTm": "2025-01-02T10:00:00Z", "NbOfTxs": "1",
    "CtrlSum": 10.5},
       "PmtInf": [{"PmtInfId": "P1", "PmtMtd": "TRF", "Dbtr": {"Nm": "Acme"}, "CdtTrfTxInf": [{
           "Amt": {"InstdAmt": {"Ccy": "EUR", "value": "10.50"}}, "Cdtr": {"Nm": "Jo"},
           "CdtrAcct": {
               "IBAN": "DE89370400440532013000"}}]}]}
CASES["credit_transfer"] = (
    document(D4, "transfers, as JSON", record({
        "GrpHdr": record({"MsgId": ref("Max35"), "CreDtTm": MOMENT, "NbOfTxs": text(
            pattern="^[0-9]{1,15}$"), "CtrlSum": {"type": "number", "minimum": 0,
            "exclusiveMinimum":
                                                  True}}, "MsgId CreDtTm NbOfTxs"),
        "PmtInf": array(record({
            "PmtInfId": ref("Max35"), "PmtMtd": choice("CHK TRF TRA"), "Dbtr": ref("Party"),
            "ReqdExctnDt": text(pattern="^\\d{4}-\\d{2}-\\d{2}$"), "ChrgBr": choice(
                "DEBT CRED SHAR SLEV"), "CdtTrfTxInf": array(record({
                    "Amt": record({"InstdAmt": record({"Ccy": CURRENCY, "value": text(
                        pattern="^[0-9]{1,13}(\\.[0-9]{1,5})?$")}, "Ccy value")}, "InstdAmt"),
                    "Cdtr": ref("Party"), "CdtrAcct": {"type": "object", "properties": {
                        "IBAN": text(pattern="^[A-Z]{2}[0-9]{2}[a-zA-Z0-9]{1,30}$"), "Othr": record(
                        {
                            "Id": text(maxLength=34)}, "Id")}, "minProperties": 1,
                            "maxProperties": 1,
                        "additionalProperties": False}, "RmtInf": record({"Ustrd": array(text(
                            maxLength=140))})}, "Amt Cdtr CdtrAcct"), minItems=1)},
            "PmtInfId PmtMtd Dbtr CdtTrfTxInf"), minItems=1)}, "GrpHdr PmtInf"), definitions={
        "Max35": text(minLength=1, maxLength=35), "Party": record({"Nm": text(maxLength=140),
        "PstlAdr":
            record({"Ctry": COUNTRY, "AdrLine": array(text(maxLength=70), maxItems=7)})}, "Nm")}),
    [one, but(one, "PmtInf|0|ChrgBr", "SLEV")],
    [but(one, "GrpHdr|CtrlSum", 0), but(one, "PmtInf|0|CdtTrfTxInf|0|CdtrAcct", {}), but(
        one, "PmtInf|0|PmtMtd", "SEPA"), but(
            one, "PmtInf|0|CdtTrfTxInf|0|Amt|InstdAmt|value", "10.500000")])

# Measurements
one = {"device": "sensor-07", "at": 1700000000123, "readings": [{"kind": "temperature",
    "value": 21.5,
       "unit": "C"}, {"kind": "door", "open": True}], "battery": 0.87, "firmware": [1, 4, 0]}
CASES["telemetry"] = (
    document(D7, "telemetry", record({
        "device": text(pattern="^[a-z]+-[0-9]{2,6}$"), "at": whole("Milliseconds since 1970",
        minimum=0,
                                                                   format="int64"),
                                                                   "readings": array({
            "oneOf": [
                closed({"kind": {"const": "temperature"}, "value": number(minimum=-273.15,
                maximum=1000),
                        "unit": {"enum": ["C", "F", "K"]}}, "kind value unit"),
                closed({"kind": {"const": "humidity"}, "value": number(minimum=0, maximum=100)},
                       "kind value"),
                closed({"kind": {"const": "door"}, "open": flag()}, "kind open"),
                closed({"kind": {"const": "gps"}, "value": {"type": "array", "items": [number(
                    minimum=-90, maximum=90), number(minimum=-180, maximum=180)], "minItems": 2,
                    "additionalItems": False}}, "kind value")]}, minItems=1, maxItems=64),
        "battery": {"type": ["number", "null"], "minimum": 0, "maximum": 1}, "firmware": {
            "type": "array", "items": whole(minimum=0, maximum=255), "minItems": 3, "maxItems": 3},
        "signal": record({"rssi": whole(minimum=-130, maximum=0), "snr": number()}, "rssi")},
        "device at readings")),
    [one, but(one, "readings", [{"kind": "gps", "value": [46.9, 7.4]}])],
    [but(one, "readings|0|value", -300), but(one, "readings|1", {"kind": "door"}), but(
        one, "firmware", [1, 4]), but(one, "battery", 1.5), but(one, "device", "Sensor 7")])
one = {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {
    "stringValue": "web"}}]}, "scopeSpans": [{"scope": {"name": "x"}, "spans": [{
        "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174",
        "name": "GET /",
        "kind": 2, "startTimeUnixNano": "1544712660000000000",
        "endTimeUnixNano": 1544712661000000000,
        "attributes": [], "status": {"code": 1}}]}]}]}
CASES["trace_export"] = (
    document(D20, "spans", record({"resourceSpans": array(record({
        "resource": record({"attributes": array(ref2("pair"))}), "scopeSpans": array(record({
            "scope": record({"name": text(), "version": text()}), "spans": array(ref2(
            "span"))}))}))},
        "resourceSpans"), **{"$defs": {
            "value": {"type": "object", "minProperties": 1, "maxProperties": 1, "properties": {
                "stringValue": text(), "boolValue": flag(), "intValue": {"type": ["string",
                "integer"],
                    "pattern": "^-?[0-9]+$"}, "doubleValue": number(), "arrayValue": record({
                        "values": array(ref2("value"))}), "kvlistValue": record({"values": array(
                            ref2("pair"))})}, "additionalProperties": False},
            "pair": closed({"key": text(minLength=1), "value": ref2("value")}, "key value"),
            "nano": {"oneOf": [text(pattern="^[0-9]{1,20}$"), whole(minimum=0)]},
            "span": record({
                "traceId": text(pattern="^[0-9a-fA-F]{32}$"), "spanId": text(
                pattern="^[0-9a-fA-F]{16}$"),
                "parentSpanId": text(pattern="^([0-9a-fA-F]{16})?$"), "name": text(), "kind": whole(
                    minimum=0, maximum=5), "startTimeUnixNano": ref2("nano"),
                    "endTimeUnixNano": ref2(
                        "nano"), "attributes": array(ref2("pair")), "events": array(record({
                            "timeUnixNano": ref2("nano"), "name": text()}, "timeUnixNano")),
                            "status":
                record({"code": {"enum": [0, 1, 2]}, "message": text()})},
                "traceId spanId name startTimeUnixNano")}}),
    [one, but(one, "resourceSpans|0|scopeSpans|0|spans|0|attributes", [{"key": "a", "value": {
        "arrayValue": {"values": [{"intValue": "-7"}, {"boolValue": True}]}}}])],
    [but(one, "resourceSpans|0|scopeSpans|0|spans|0|traceId", "5B8E"), but(
        one, "resourceSpans|0|resource|attributes|0|value", {}), but(
            one, "resourceSpans|0|scopeSpans|0|spans|0|status|code", 3)])
one = {"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "data": {"values": [{"a": 1}]},
       "mark": {"type": "bar", "tooltip": True}, "encoding": {"x": {"field": "a",
       "type": "ordinal", "axis":
                None}, "y": {"aggregate": "mean", "field": "b", "bin": {"maxbins": 10}}, "color": {
                    "value": "#4c78a8"}}, "width": "container"}
channel = {"oneOf": [
    closed({"value": {"type": ["string", "number", "null"]}}, "value"), closed({
        "field": text(), "type": choice("quantitative ordinal temporal nominal geojson"),
        "aggregate":
        choice("count sum mean median min max distinct"), "bin": {"anyOf": [flag(), {
        "type": "null"},
               record({"maxbins": whole(minimum=2), "step": number(exclusiveMinimum=0)})]},
               "timeUnit":
        text(), "title": {"anyOf": [text(), texts(), {"type": "null"}]}, "axis": {"anyOf": [
            {"type": "null"}, record({"grid": flag(), "format": text(), "labelAngle": number(
                minimum=-360, maximum=360)})]}, "sort": {"anyOf": [choice("ascending descending"),
                array(
                    {}), {"type": "null"}]}, "scale": {"type": ["object", "null"]}}, anyOf=[
                        {"required": ["field"]}, {"required": ["aggregate"]}])]}
CASES["chart_spec"] = (
    document(D7, "unit of a chart", {"anyOf": [ref("unit"), ref("layered")]}, definitions={
        "data": {"anyOf": [record({"url": text(), "format": record({"type": choice(
            "json csv tsv topojson")})}, "url"), record({"values": {"anyOf": [array({
                "type": ["number", "string", "boolean", "object"]}), text(), {"type": "object"}]}},
                "values"), {"type": "null"}]},
        "size": {"anyOf": [number(minimum=0), {"const": "container"}, record({"step": number()},
        "step")]},
        "mark": choice("arc area bar line point rect rule square text tick trail"),
        "channel": channel, "encoding": {"type": "object", "propertyNames": {"enum": [
            "x", "y", "x2", "y2", "color", "size", "shape", "opacity", "tooltip", "row", "column"]},
            "additionalProperties": ref("channel")},
        "unit": record({"$schema": text(format="uri"), "data": ref("data"), "mark": {"anyOf": [
            ref("mark"), record({"type": ref("mark"), "tooltip": {"type": ["boolean", "string",
            "null"]},
                                 "opacity": number(minimum=0, maximum=1)}, "type")]},
                                 "encoding": ref(
            "encoding"), "width": ref("size"), "height": ref("size"), "title": text()}, "mark"),
        "layered": record({"data": ref("data"), "layer": array({"anyOf": [ref("layered"), ref(
        "unit")]}),
                           "encoding": ref("encoding")}, "layer")}),
    [one, {"layer": [{"mark": "line"}, {"layer": []}], "data": None}],
    [but(one, "mark", "pie"), but(one, "encoding|z", {"value": 1}), but(one, "encoding|x", {
        "type": "ordinal"}), but(one, "encoding|y|bin|maxbins", 1), but(one, "width", "full")])

# Media and the rest
one = {"version": "https://jsonfeed.org/version/1.1", "title": "Notes", "items": [{
    "id": "1", "content_text": "Hi", "date_published": "2025-01-02T10:00:00+01:00", "tags": ["a"],
    "attachments": [{"url": "https://x.example.org/a.mp3", "mime_type": "audio/mpeg"}]}],
        "authors": [
        {"name": "Jo"}], "hubs": [{"type": "WebSub", "url": "https://hub.example.org/"}]}
CASES["json_feed"] = (
    document(D7, "JSON Feed", record({
        "version": text(pattern="^https://jsonfeed\\.org/version/1(\\.1)?$"), "title": text(),
        "home_page_url": ref("link"), "feed_url": ref("link"), "language": text(), "expired": flag(
        ),
        "authors": array(ref("author")), "hubs": array(record({"type": text(), "url": ref("link")},
                                                              "type url")), "items": array(record({
            "id": text(), "url": ref("link"), "title": text(), "content_html": text(),
            "content_text":
            text(), "summary": text(), "image": ref("link"), "date_published": MOMENT,
            "authors": array(
                ref("author")), "tags": texts(), "attachments": array(record({
                    "url": ref("link"), "mime_type": text(pattern="^[a-z]+/[a-z0-9.+-]+$"),
                    "size_in_bytes": number(minimum=0), "duration_in_seconds": number(minimum=0)},
                    "url mime_type"))}, "id", anyOf=[{"required": ["content_html"]}, {"required": [
                        "content_text"]}]))}, "version title items", patternProperties={"^_": {
                            "type": "object", "description": "Extensions"}}), definitions={
        "link": text(format="uri"), "author": {"type": "object", "properties": {
            "name": text(), "url": ref("link"), "avatar": ref("link")}, "minProperties": 1}}),
    [one, {"version": "https://jsonfeed.org/version/1", "title": "", "items": [], "_x": {"a": 1}}],
    [but(one, "items|0", {"id": "1"}), but(one, "authors", [{}]), but(one, "version", "1.1"), but(
        one, "_x", 1)])
one = {"@context": ["https://www.w3.org/ns/activitystreams"], "type": "Create", "actor":
       "https://m.example.org/u/jo", "object": {"type": "Note", "content": "<p>Hi</p>", "to": [
           "https://www.w3.org/ns/activitystreams#Public"], "tag": [{"type": "Mention", "href":
           "https://m.example.org/u/al", "name": "@al"}]}, "id": "https://m.example.org/a/1"}
CASES["activity"] = (
    document(D20, "activity", ref2("activity"), **{"$defs": {
        "iri": text(format="uri"), "audience": {"oneOf": [ref2("iri"), array(ref2("iri"))]},
        "note": record({"type": choice("Note Article Question"), "id": ref2("iri"), "content": text(
        ),
                        "summary": {"type": ["string", "null"]}, "published": MOMENT, "to": ref2(
                            "audience"), "cc": ref2("audience"), "inReplyTo": {"anyOf": [ref2(
                            "iri"), {
                                "type": "null"}]}, "tag": array(record({"type": choice(
                                    "Mention Hashtag Emoji"), "href": ref2("iri"), "name": text()},
                                    "type")), "attachment": array(record({"type": choice(
                                        "Document Image"), "url": ref2("iri"), "mediaType": text()},
                                        "url")), "sensitive": flag()}, "type content"),
        "activity": record({"@context": {"anyOf": [text(), array({"type": ["string", "object"]})]},
                            "id": ref2("iri"), "type": choice(
                                "Create Update Delete Follow Accept Announce Like Undo"),
                                "actor": ref2(
                                    "iri"), "object": {"anyOf": [ref2("iri"), ref2("note"), ref2(
                                        "activity")]}, "published": MOMENT, "to": ref2("audience")},
                           "type actor object")}}),
    [one, {"type": "Undo", "actor": "https://a.example/u", "object": {"type": "Like", "actor":
           "https://a.example/u", "object": "https://b.example/1"}}],
    [but(one, "type", "Poke"), but(one, "actor", "jo"), but(one, "object|type", "Song"), but(
        one, "object|to", [1])])
one = {"asset": {"version": "2.0"}, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0, "rotation": [
    0, 0, 0, 1]}], "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1},
        "mode":
    4}]}], "accessors": [{"componentType": 5126, "count": 24, "type": "VEC3"}], "buffers": [{
        "byteLength": 840, "uri": "data:application/octet-stream;base64,AAAA"}]}
index = whole(minimum=0)
CASES["scene"] = (
    document(D20, "scene", record({
        "asset": record({"version": text(pattern="^[0-9]+\\.[0-9]+$"), "generator": text()},
        "version"),
        "extensionsUsed": array(text(), uniqueItems=True, minItems=1), "scene": index,
        "scenes": array(
            record({"nodes": array(index, uniqueItems=True, minItems=1)})), "nodes": array(record({
                "mesh": index, "camera": index, "children": array(index, uniqueItems=True,
                minItems=1),
                "matrix": array(number(), minItems=16, maxItems=16), "rotation": array(number(
                    minimum=-1, maximum=1), minItems=4, maxItems=4), "scale": array(
                        number(), minItems=3, maxItems=3), "name": text()}, allOf=[{"not": {
                            "required": ["matrix", k]}} for k in ("rotation", "scale")])),
                            "meshes": array(
            record({"primitives": array(record({
                "attributes": {"type": "object", "minProperties": 1, "propertyNames": {"pattern": (
                    "^(POSITION|NORMAL|TANGENT|TEXCOORD_\\d+|COLOR_\\d+|_[A-Z0-9_]+)$")},
                    "additionalProperties": index}, "mode": {"anyOf": [{"const": k} for k in range(
                        7)] + [{"type": "integer"}], "default": 4}, "material": index},
                        "attributes"),
                minItems=1)}, "primitives")), "accessors": array(record({
                    "componentType": {"anyOf": [{"const": k} for k in (5120, 5121, 5123, 5126)]},
                    "count": whole(minimum=1), "type": choice("SCALAR VEC2 VEC3 VEC4 MAT4"), "max":
                    array(number(), minItems=1, maxItems=16)}, "componentType count type")),
        "buffers": array(record({"byteLength": whole(minimum=1), "uri": text(
            format="iri-reference")}, "byteLength"))}, "asset")),
    [one, {"asset": {"version": "2.0"}, "extensionsUsed": ["KHR_x"]}],
    [but(one, "nodes|0|matrix", [0] * 16), but(one, "meshes|0|primitives|0|attributes", {}), but(
        one, "accessors|0|componentType", 5124), but(one, "scenes|0|nodes", [0, 0])])
one = {"cells": [{"cell_type": "code", "id": "a1", "metadata": {}, "source": ["x = 1"],
                  "execution_count": 1, "outputs": [{"output_type": "stream", "name": "stdout",
                  "text":
                                                     "1\n"}]}, {"cell_type": "markdown", "id": "b",
    "metadata": {"tags": ["t"]}, "source": "# A"}], "metadata": {"kernelspec": {"name": "py",
    "display_name": "Python"}}, "nbformat": 4, "nbformat_minor": 5}
many = {"oneOf": [text(), texts()]}
CASES["notebook"] = (
    document(D4, "notebook", closed({
        "metadata": record({"kernelspec": record({"name": text(), "display_name": text()},
                                                 "name display_name"), "language_info": record({
                                                     "name": text()}, "name")}),
                                                     "nbformat_minor": whole(
            minimum=5), "nbformat": whole(minimum=4, maximum=4), "cells": array({"oneOf": [
                ref("markdown"), ref("code")]})}, "metadata nbformat_minor nbformat cells"),
                definitions={
        "id": text(pattern="^[a-zA-Z0-9-_]+$", minLength=1, maxLength=64), "many": many,
        "meta": record({
            "tags": array(text(pattern="^[^,]+$"), uniqueItems=True), "collapsed": flag()}),
        "markdown": closed({"id": ref("id"), "cell_type": {"enum": ["markdown"]}, "metadata": ref(
            "meta"), "attachments": {"type": "object"}, "source": ref("many")},
            "id cell_type metadata source"),
        "code": closed({"id": ref("id"), "cell_type": {"enum": ["code"]}, "metadata": ref("meta"),
                        "source": ref("many"), "outputs": array({"oneOf": [
                            ref("stream"), ref("result"), ref("error")]}), "execution_count": {
                                "type": ["integer", "null"], "minimum": 0}},
                       "id cell_type metadata source outputs execution_count"),
        "stream": closed({"output_type": {"enum": ["stream"]}, "name": text(), "text": ref("many")},
                         "output_type name text"),
        "result": closed({"output_type": {"enum": ["execute_result", "display_data"]},
                          "execution_count": {"type": ["integer", "null"]}, "data": {
                              "type": "object", "additionalProperties": {"not": {"type": "null"}},
                              "patternProperties": {"^[a-zA-Z0-9]+/[a-zA-Z0-9.+-]+$": ref("many")}},
                          "metadata": {"type": "object"}}, "output_type data metadata"),
        "error": closed({"output_type": {"enum": ["error"]}, "ename": text(), "evalue": text(),
                         "traceback": texts()}, "output_type ename evalue traceback")}),
    [one, but(one, "cells|0|outputs", [{"output_type": "display_data", "metadata": {}, "data": {
        "text/plain": ["a"]}}])],
    [but(one, "nbformat", 3), but(one, "cells|0|id", "a b"), but(one, "cells|1|outputs", []), but(
        one, "cells|0|outputs|0|output_type", "error"), but(one, "cells|1|metadata|tags", ["t",
        "t"])])
one = {"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "TextBlock", "text": "Hi",
    "size":
       "large", "wrap": True}, {"type": "ColumnSet", "columns": [{"type": "Column",
       "width": "auto", "items":
       [{"type": "Image", "url": "https://i.example.com/a.png"}]}]}], "actions": [{
           "type": "Action.OpenUrl", "title": "Go", "url": "https://a.example.com"}]}
CASES["card"] = (
    document(D6, "card", record({
        "type": {"enum": ["AdaptiveCard"]}, "version": text(pattern="^1\\.[0-6]$"), "body": array(
        ref(
            "element")), "actions": array(ref("action")), "fallbackText": text(), "lang": text()},
        "type version"), definitions={
        "base": {"type": "object", "properties": {"id": text(), "isVisible": flag(default=True),
                                                  "spacing": choice(
                                                  "default none small medium large"),
                                                  "separator": flag()}},
        "element": {"anyOf": [
            {"allOf": [ref("base"), record({
                "type": {"enum": ["TextBlock"]}, "text": text(), "size": choice(
                    "default small medium large extraLarge"), "weight": choice(
                    "lighter default bolder"),
                "wrap": flag(), "maxLines": whole(minimum=1)}, "type text")]},
            {"allOf": [ref("base"), record({"type": {"enum": ["Image"]}, "url": text(
                format="uri-reference"), "altText": text(), "height": {"anyOf": [text(
                    pattern="^[0-9]+px$"), choice("auto stretch")]}}, "type url")]},
            {"allOf": [ref("base"), record({"type": {"enum": ["ColumnSet"]}, "columns": array(
            record({
                "type": {"enum": ["Column"]}, "width": {"anyOf": [text(), number()]},
                "items": array(
                    ref("element"))}))}, "type")]},
            {"allOf": [ref("base"), record({"type": {"enum": ["Input.Text"]}, "id": text(
            minLength=1),
                                            "isRequired": flag(), "label": text(), "maxLength":
                                            number()}, "type id")]}]},
        "action": {"anyOf": [
            record({"type": {"enum": ["Action.OpenUrl"]}, "title": text(), "url": text(
            format="uri")},
                   "type url"), record({"type": {"enum": ["Action.Submit"]}, "title": text(),
                   "data": {
                       "type": ["string", "object"]}}, "type"), record({
                           "type": {"enum": ["Action.ShowCard"]}, "title": text(), "card": {
                               "$ref": "#"}}, "type card")]}}),
    [one, but(one, "actions", [{"type": "Action.ShowCard", "card": {"type": "AdaptiveCard",
        "version":
                                                                    "1.0"}}])],
    [but(one, "version", "2.0"), but(one, "body|0|size", "huge"), but(one, "actions|0|url", "x y"),
        but(
        one, "body|1|columns|0|items|0", {"type": "Image"}), but(one, "body|0|maxLines", 0)])
one = {"quiz": "Rivers", "questions": [{"kind": "single", "text": "Where is the Aare?", "choices": [
    {"id": "a", "text": "CH"}, {"id": "b", "text": "AT"}], "answer": "a"}, {"kind": "number",
        "text":
    "How long?", "answer": 288, "tolerance": 5}], "time_limit": "PT10M", "shuffle": True}
CASES["quiz"] = (
    document(D20, "quiz", record({
        "quiz": text(minLength=1), "shuffle": flag(), "time_limit": text(format="duration"),
        "passing":
        {"$ref": "#/$defs/share", "default": 0.6}, "questions": array({"type": "object",
        "required": [
            "kind", "text", "answer"], "properties": {"text": text(minLength=5), "points": number(
                exclusiveMinimum=0, multipleOf=0.5), "image": text(format="uri"), "hint": text()},
                "oneOf": [
                    {"properties": {"kind": {"const": "single"}, "choices": ref2("choices"),
                    "answer": ref2(
                        "letter")}, "required": ["choices"]},
                    {"properties": {"kind": {"const": "multiple"}, "choices": ref2("choices"),
                    "answer":
                                    array(ref2("letter"), uniqueItems=True, minItems=1)},
                                    "required": [
                                        "choices"]},
                    {"properties": {"kind": {"const": "number"}, "answer": number(),
                    "tolerance": number(
                        minimum=0)}},
                    {"properties": {"kind": {"const": "text"}, "answer": {"anyOf": [text(), array(
                        text(), minItems=1)]}, "ignore_case": flag()}}]}, minItems=1)},
                        "quiz questions"),
        **{"$defs": {"share": number(minimum=0, maximum=1), "letter": text(pattern="^[a-z]$"),
        "choices":
                     array(closed({"id": ref2("letter"), "text": text()}, "id text"), minItems=2,
                           maxItems=8)}}),
    [one, but(one, "questions", [{"kind": "text", "text": "Which river?", "answer": ["Aare",
        "Aar"]}])],
    [but(one, "questions|0|answer", "A"), but(one, "questions|1|kind", "text"), but(
        one, "questions|0|choices", []), but(one, "time_limit", "10 min")])
one = {"game": "chess", "white": {"name": "A", "elo": 2100}, "black": {"name": "B"}, "moves": [
    {"san": "e4", "clock": 5400}, {"san": "Nf6"}, {"san": "O-O-O+", "nag": [1, 14]}],
        "result": "1/2-1/2",
    "eco": "B02", "fen": "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"}
CASES["chess_game"] = (
    document(D7, "game", record({
        "game": {"const": "chess"}, "white": ref("player"), "black": ref("player"), "result": {
            "enum": ["1-0", "0-1", "1/2-1/2", "*"]}, "eco": text(pattern="^[A-E][0-9]{2}$"),
            "date": text(
                pattern="^[0-9?]{4}\\.[0-9?]{2}\\.[0-9?]{2}$"), "fen": text(pattern=(
                    "^([1-8pnbrqkPNBRQK]{1,8}/){7}[1-8pnbrqkPNBRQK]{1,8} [wb] (-|K?Q?k?q?) "
                    "(-|[a-h][36]) [0-9]+ [1-9][0-9]*$")), "moves": array(ref("move"))},
        "game white black moves result"), definitions={
        "player": record({"name": text(), "elo": {"oneOf": [whole(minimum=100, maximum=3500), {
            "type": "null"}]}, "title": choice("GM IM FM CM WGM WIM NM")}, "name"), "move": record({
                "san": text(pattern=("^(O-O(-O)?|[KQRBN]?[a-h]?[1-8]?x?[a-h][1-8](=[QRBN])?)[+#]?$"
                "")),
                "clock": number(minimum=0), "nag": array(whole(minimum=0, maximum=255)),
                "comment": text(),
                "variations": array(array(ref("move"), minItems=1))}, "san")}),
    [one, but(one, "moves|1|variations", [[{"san": "exd5", "comment": "open"}]])],
    [but(one, "moves|0|san", "e9"), but(one, "result", "draw"), but(one, "eco", "F00"), but(
        one, "fen", "start"), but(one, "white|elo", 50)])
