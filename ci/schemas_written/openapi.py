"""Bodies and fragments of web interfaces, as OpenAPI documents describe them."""

# fmt: off
from schemas_written.common import (
    D4, D6, D7, D19, D20, array, but, choice, closed, document, flag, number, record, ref, ref2,
    table, text, texts, whole, without,
)

CASES = {}


def component(name):
    return {"$ref": f"#/components/schemas/{name}"}


def body(title, name, draft=None, **schemas):
    """A schema beside the components that it was taken from."""
    return document(draft, title, component(name) if draft in (None, D20) else {
        "allOf": [component(name)]}, components={"schemas": schemas})


one = {"id": 7, "name": "Rex", "photoUrls": [], "status": "sold", "tags": [{"id": 1, "name": "a"}]}
CASES["pet"] = (
    body("Pet", "Pet", Pet=record({
        "id": whole(format="int64", example=10), "name": text(example="doggie"), "category":
        component("Category"), "photoUrls": texts(xml={"wrapped": True}), "tags": array(component(
            "Tag")), "status": choice("available pending sold", "Status in the store")},
        "name photoUrls", xml={"name": "pet"}),
        Category=record({"id": whole(format="int64"), "name": text(pattern="^[A-Za-z0-9 ]*$")}),
        Tag=record({"id": whole(format="int64"), "name": text()}), Order=record({
            "petId": whole(), "quantity": whole(format="int32"), "complete": flag()})),
    [one, {"name": "Tom", "photoUrls": ["x"], "category": {"name": "cats"}}],
    [without(one, "name"), but(one, "status", "lost"), but(one, "tags|0|id", "1")])

one = {"petType": "Dog", "name": "Rex", "packSize": 3}
CASES["pet_kinds"] = (
    body("Pet", "Pet", D20, Pet={"oneOf": [component("Cat"), component("Dog")], "discriminator": {
        "propertyName": "petType", "mapping": {"Dog": "#/components/schemas/Dog"}}},
        Base=record({"petType": text(), "name": text(minLength=1)}, "petType name"),
        Cat={"allOf": [component("Base"), record({"petType": {"const": "Cat"}, "huntingSkill":
             choice("clueless lazy adventurous", default="lazy")}, "huntingSkill")],
             "unevaluatedProperties": False},
        Dog={"allOf": [component("Base"), record({"petType": {"const": "Dog"}, "packSize": whole(
            format="int32", minimum=0)}, "packSize")], "unevaluatedProperties": False}),
    [one, {"petType": "Cat", "name": "Tom", "huntingSkill": "lazy"}],
    [but(one, "petType", "Cat"), but(one, "color", "x"), but(one, "packSize", -1)])

one = {"type": "https://example.com/probs/out-of-credit", "title": "No credit", "status": 403,
       "detail": "Your balance is 30.", "instance": "/account/12", "errors": [
           {"pointer": "/amount", "detail": "too much"}]}
CASES["problem"] = (
    body("Problem", "Problem", Problem=record({
        "type": text("Names the kind of problem", format="uri-reference", default="about:blank"),
        "title": text("The same for all of the kind"), "status": whole(
            minimum=100, maximum=599, format="int32"), "detail": text("About this one"),
        "instance": text(format="uri-reference"), "traceId": text(pattern="^[0-9a-f]{32}$"),
        "errors": array(component("Violation"))}, "title status", additionalProperties=True),
        Violation=record({"pointer": text(format="json-pointer"), "parameter": text(), "header":
                          text(), "detail": text(), "code": text(pattern="^[A-Z_]+$")}, "detail",
                         oneOf=[{"required": [k]} for k in ("pointer", "parameter", "header")])),
    [one, {"title": "x", "status": 500, "balance": 30}],
    [but(one, "status", 42), but(one, "errors|0", {"detail": "x"}), but(
        one, "errors|0|pointer", "amount"), without(one, "title")])

one = {"id": "ch_3Ab", "object": "charge", "amount": 2000, "currency": "chf", "paid": True,
       "payment_method_details": {"type": "card", "card": {"brand": "visa", "last4": "4242",
                                                           "exp_month": 8, "exp_year": 2030}},
       "refunds": {"object": "list", "data": [], "has_more": False}, "metadata": {"order": "6735"},
       "failure_code": None, "created": 1679090539}
CASES["charge"] = (
    body("Charge", "charge", charge=record({
        "id": text(maxLength=5000), "object": {"enum": ["charge"]}, "amount": whole(minimum=0),
        "currency": text(pattern="^[a-z]{3}$"), "created": whole(format="unix-time"), "paid":
        flag(), "failure_code": {"type": ["string", "null"], "maxLength": 5000}, "customer": {
            "anyOf": [text(), component("customer"), {"type": "null"}], "x-expansionResources": {
                "oneOf": [component("customer")]}}, "metadata": table(text(maxLength=500)),
        "refunds": component("refund_list"), "payment_method_details": component("details")},
        "id object amount currency paid", **{"x-resourceId": "charge"}),
        customer=record({"id": text(), "object": {"enum": ["customer"]}, "email": {
            "type": ["string", "null"]}}, "id object"),
        refund_list=record({"object": {"enum": ["list"]}, "has_more": flag(), "data": array(record({
            "id": text(), "amount": whole(), "reason": {"enum": [
                None, "duplicate", "fraudulent"]}}, "id amount"))}, "data has_more"),
        details=record({"type": text(), "card": record({
            "brand": text(), "last4": text(pattern="^[0-9]{4}$"), "exp_month": whole(
                minimum=1, maximum=12), "exp_year": whole(minimum=2000)}, "last4"), "sepa_debit":
            record({"bank_code": {"type": ["string", "null"]}, "country": text()})}, "type")),
    [one, but(one, "customer", "cus_9"), but(one, "customer", {"id": "c", "object": "customer"})],
    [but(one, "object", "refund"), but(one, "payment_method_details|card|exp_month", 13), but(
        one, "customer", {"id": "c"}), but(one, "metadata|order", 6735)])

one = {"model": "small-1", "messages": [
    {"role": "system", "content": "Be brief."}, {"role": "user", "content": [
        {"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {
            "url": "https://img.example.com/1.png", "detail": "low"}}]}], "temperature": 0.2,
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}},
    "stop": ["\n"], "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    "tool_choice": "auto"}
CASES["chat_completion_request"] = (
    body("CreateChatCompletionRequest", "Request", Request=record({
        "model": {"anyOf": [text(), choice("small-1 large-1")]}, "messages": array(component(
            "Message"), minItems=1), "temperature": {"type": ["number", "null"], "minimum": 0,
                                                     "maximum": 2, "default": 1},
        "n": whole(minimum=1, maximum=128), "stop": {"oneOf": [text(), array(
            text(), minItems=1, maxItems=4)]}, "stream": flag(), "logit_bias": {
                "type": "object", "additionalProperties": whole(minimum=-100, maximum=100),
                "propertyNames": {"pattern": "^[0-9]+$"}},
        "response_format": {"oneOf": [record({"type": {"const": "text"}}, "type"), record({
            "type": {"const": "json_schema"}, "json_schema": record({
                "name": text(pattern="^[a-zA-Z0-9_-]+$", maxLength=64), "schema": {
                    "type": "object"}, "strict": flag()}, "name")}, "type json_schema")]},
        "tools": array(record({"type": {"enum": ["function"]}, "function": record({
            "name": text(), "description": text(), "parameters": {"type": "object",
                                                                  "additionalProperties": True}},
            "name")}, "type function"), maxItems=128), "tool_choice": {"oneOf": [
                choice("none auto required"), record({"type": {"const": "function"}, "function":
                record({"name": text()}, "name")}, "type function")]}}, "model messages"),
        Message={"oneOf": [component(k) for k in ("System", "User", "Assistant", "ToolMessage")],
                 "discriminator": {"propertyName": "role"}},
        System=record({"role": {"enum": ["system", "developer"]}, "content": text()},
                      "role content"),
        User=record({"role": {"enum": ["user"]}, "name": text(), "content": {"oneOf": [
            text(), array(component("Part"), minItems=1)]}}, "role content"),
        Assistant=record({"role": {"enum": ["assistant"]}, "content": {"type": [
            "string", "null"]}, "tool_calls": array({"type": "object"})}, "role"),
        ToolMessage=record({"role": {"enum": ["tool"]}, "content": text(), "tool_call_id": text()},
                           "role content tool_call_id"),
        Part={"oneOf": [record({"type": {"const": "text"}, "text": text()}, "type text"), record({
            "type": {"const": "image_url"}, "image_url": record({"url": text(format="uri"),
            "detail":
                choice("auto low high")}, "url")}, "type image_url")]}),
    [one, {"model": "x", "messages": [{"role": "tool", "content": "", "tool_call_id": "1"}]}],
    [but(one, "temperature", 3), but(one, "messages", []), but(one, "messages|0|role", "root"),
     but(one, "stop", []), but(one, "logit_bias", {"a": 1}), but(one, "tool_choice", "any")])

one = {"id": "c1", "object": "chat.completion", "created": 1700000000, "model": "small-1",
       "choices": [{"index": 0, "finish_reason": "stop", "message": {
           "role": "assistant", "content": "Hi"}, "logprobs": None}], "usage": {
               "prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}}
CASES["chat_completion_response"] = (
    document(D20, "ChatCompletion", record({
        "id": text(), "object": {"const": "chat.completion"}, "created": whole(), "model": text(),
        "choices": array(record({
            "index": whole(minimum=0), "finish_reason": choice(
                "stop length tool_calls content_filter"), "message": record({
                    "role": {"const": "assistant"}, "content": {"type": ["string", "null"]},
                    "refusal": {"type": ["string", "null"]}}, "role content"),
            "logprobs": {"anyOf": [{"type": "null"}, record({"content": array(record({
                "token": text(), "logprob": number(maximum=0), "bytes": {"anyOf": [
                    array(whole(minimum=0, maximum=255)), {"type": "null"}]}},
                "token logprob"))})]}}, "index finish_reason message"), minItems=1),
        "usage": record({f"{k}_tokens": whole(minimum=0) for k in (
            "prompt", "completion", "total")}, "prompt_tokens completion_tokens total_tokens"),
        "system_fingerprint": {"type": ["string", "null"]}}, "id object created model choices")),
    [one, but(one, "choices|0|logprobs", {"content": [{"token": "H", "logprob": -0.5, "bytes": [
        72]}]})],
    [but(one, "choices", []), but(one, "choices|0|finish_reason", "done"), without(
        one, "usage|total_tokens"), but(one, "object", "completion")])

one = {"data": {"type": "articles", "id": "1", "attributes": {"title": "JSON"}, "relationships": {
    "author": {"links": {"related": "/articles/1/author"}, "data": {"type": "people", "id": "9"}}}},
    "included": [{"type": "people", "id": "9", "attributes": {"firstName": "Dan"}}],
    "jsonapi": {"version": "1.1"}}
CASES["json_api"] = (
    document(D19, "JSON:API document", {"oneOf": [ref2("success"), ref2("failure"), ref2("info")]},
             **{"$defs": {
        "success": closed({"data": {"oneOf": [ref2("resource"), array(
            ref2("resource"), uniqueItems=True), {"type": "null"}]}, "included": array(
                ref2("resource")), "meta": ref2("meta"), "links": ref2("links"), "jsonapi": ref2(
                    "jsonapi")}, "data"),
        "failure": closed({"errors": array(ref2("error"), minItems=1), "meta": ref2("meta"),
                           "jsonapi": ref2("jsonapi")}, "errors"),
        "info": closed({"meta": ref2("meta"), "links": ref2("links")}, "meta"),
        "meta": {"type": "object", "additionalProperties": True}, "links": table({"oneOf": [
            text(format="uri-reference"), record({"href": text(), "meta": ref2("meta")}, "href"),
            {"type": "null"}]}), "jsonapi": closed({"version": text(), "meta": ref2("meta")}),
        "resource": closed({"type": text(pattern="^[a-zA-Z0-9](?:[-\\w]*[a-zA-Z0-9])?$"), "id":
                            text(), "lid": text(), "attributes": {"type": "object",
                                "propertyNames": {"not": {"enum": ["type", "id"]}}},
                            "relationships": table(record({"links": ref2("links"), "data": {"anyOf":
                                [{"type": "null"}, ref2("linkage"), array(ref2("linkage"))]}},
                                anyOf=[{"required": ["data"]}, {"required": ["meta"]}, {
                                    "required": ["links"]}])), "links": ref2("links")}, "type"),
        "linkage": closed({"type": text(), "id": text()}, "type id"),
        "error": closed({"id": text(), "status": text(pattern="^[45][0-9]{2}$"), "code": text(),
                         "title": text(), "detail": text(), "source": record({
                             "pointer": text(format="json-pointer"), "parameter": text()})})}}),
    [one, {"errors": [{"status": "404", "title": "Gone"}]}, {"meta": {"a": 1}}, {"data": None}],
    [but(one, "errors", []), {"errors": [{"status": "200"}]}, but(
        one, "data|relationships|author", {}), but(one, "data|attributes|id", 1)])

one = {"class": ["order"], "properties": {"orderNumber": 42}, "entities": [
    {"class": ["items"], "rel": ["http://x.example.org/rels/items"], "href": "http://a.example/1"},
    {"rel": ["self"], "properties": {"a": 1}}], "actions": [{"name": "add", "href":
        "http://a.example/2", "method": "POST", "fields": [{"name": "n", "type": "number"}]}],
    "links": [{"rel": ["next"], "href": "http://a.example/3"}]}
CASES["siren"] = (
    document(D6, "Siren", ref("entity"), definitions={
        "entity": record({"class": texts(), "title": text(), "properties": {"type": "object"},
                          "entities": array({"anyOf": [ref("link"), ref("sub")]}), "actions":
                          array(ref("action")), "links": array(ref("link"))}),
        "sub": {"allOf": [ref("entity"), {"required": ["rel"], "properties": {"rel": ref("rel")}}]},
        "rel": array(text(minLength=1), minItems=1),
        "link": record({"rel": ref("rel"), "href": text(format="uri"), "class": texts(), "type":
                        text(pattern="^[-\\w+.]+/[-\\w+.]+$")}, "rel href"),
        "action": record({"name": text(), "href": text(format="uri"), "method": choice(
            "DELETE GET PATCH POST PUT", default="GET"), "type": text(), "fields": array(record({
                "name": text(), "type": choice("hidden text search tel url email password date "
                                               "number checkbox radio file"), "value": {"type": [
                                                   "string", "number", "array"]}}, "name"))},
            "name href")}),
    [one, {"title": "x"}],
    [but(one, "links|0|rel", []), but(one, "actions|0|method", "HEAD"), but(
        one, "entities|1", {"properties": {"a": 1}}), but(one, "links|0|href", "not a uri")])

one = {"resourceType": "Patient", "id": "p-1", "active": True, "name": [
    {"use": "official", "family": "Koch", "given": ["Mira", "A."]}], "gender": "female",
    "birthDate": "1974-12", "deceasedBoolean": False, "telecom": [
        {"system": "phone", "value": "031 555 01 01", "rank": 1}], "address": [
            {"line": ["Gasse 3"], "city": "Bern", "period": {"start": "2001-01-01"}}]}
CASES["patient"] = (
    document(D6, "Patient", ref("Patient"), id="https://fhir.example.org/Patient", definitions={
        "id": text("Letters, digits, - and .", pattern="^[A-Za-z0-9\\-\\.]{1,64}$"),
        "date": text("Year, with month and day if known", pattern=(
            "^([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)(-(0[1-9]|1[0-2])(-(0[1-9]|[1-2]"
            "[0-9]|3[0-1]))?)?$")),
        "Period": closed({"start": ref("date"), "end": ref("date")}),
        "HumanName": closed({"use": {"enum": ["usual", "official", "temp", "nickname", "old"]},
                             "text": text(), "family": text(), "given": texts(), "prefix": texts(),
                             "period": ref("Period")}),
        "ContactPoint": closed({"system": {"enum": ["phone", "fax", "email", "url"]}, "value":
                                text(), "rank": number(pattern="^[1-9][0-9]*$"), "period": ref(
                                    "Period")}),
        "Address": closed({"line": texts(), "city": text(), "postalCode": text(), "country": text(),
                           "period": ref("Period")}),
        "Patient": closed({"resourceType": {"const": "Patient"}, "id": ref("id"), "active": flag(),
                           "name": array(ref("HumanName")), "telecom": array(ref("ContactPoint")),
                           "gender": {"enum": ["male", "female", "other", "unknown"]}, "birthDate":
                           ref("date"), "deceasedBoolean": flag(), "deceasedDateTime": text(),
                           "address": array(ref("Address")), "multipleBirthInteger": number()},
                          "resourceType")}),
    [one, {"resourceType": "Patient", "birthDate": "1999"}],
    [but(one, "birthDate", "12.1974"), but(one, "gender", "f"), but(one, "id", "p 1"),
     but(one, "name|0|middle", "x"), without(one, "resourceType")])

one = {"resourceType": "Observation", "status": "final", "code": {"coding": [
    {"system": "http://loinc.org", "code": "8867-4"}], "text": "Heart rate"}, "valueQuantity": {
        "value": 72, "unit": "/min", "comparator": "<"}, "component": [{
            "code": {"text": "x"}, "valueString": "y"}], "effectiveDateTime":
                "2024-05-01T09:30:00+02:00"}
value = {"valueQuantity": component("Quantity"), "valueString": text(), "valueBoolean": flag(),
         "valueInteger": whole(minimum=-2147483648, maximum=2147483647)}
CASES["observation"] = (
    body("Observation", "Observation", D20, Observation=record({
        "resourceType": {"const": "Observation"}, "status": choice(
            "registered preliminary final amended"), "code": component("Concept"), "subject":
        record({"reference": text(pattern="^[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}$")}),
        "effectiveDateTime": text(format="date-time"), **value, "component": array(record({
            "code": component("Concept"), **value}, "code"))}, "resourceType status code", oneOf=[
                {"required": [k]} for k in value] + [{"not": {"anyOf": [
                    {"required": [k]} for k in value]}}]),
        Concept=record({"coding": array(record({"system": text(format="uri"), "code": text(
            pattern="^\\S+( \\S+)*$"), "display": text()})), "text": text()}),
        Quantity=record({"value": number(), "comparator": {"enum": ["<", "<=", ">=", ">"]},
                         "unit": text()})),
    [one, without(one, "valueQuantity")],
    [but(one, "valueString", "x"), but(one, "status", "done"), but(
        one, "code|coding|0|code", " a"), but(one, "valueQuantity|comparator", "=")])

one = {"openapi": "3.1.0", "info": {"title": "Mill", "version": "1"}, "paths": {"/wings/{id}": {
    "get": {"operationId": "wing", "parameters": [{"name": "id", "in": "path", "required": True,
                                                   "schema": {"type": "integer"}}],
            "responses": {"200": {"description": "ok", "content": {"application/json": {
                "schema": {"$ref": "#/components/schemas/Wing"}}}}, "default": {
                    "$ref": "#/components/responses/E"}}}}}, "x-owner": ["a"]}
CASES["openapi_document"] = (
    document(D20, "OpenAPI", {"type": "object", "required": ["openapi", "info"], "properties": {
        "openapi": text(pattern=r"^3\.1\.\d+(-.+)?$"), "info": record({
            "title": text(), "version": text(), "description": text(), "license": record({
                "name": text(), "identifier": text(), "url": text(format="uri")}, "name",
                dependentSchemas={"identifier": {"not": {"required": ["url"]}}})}, "title version"),
        "servers": array(record({"url": text(), "variables": table(record({
            "enum": array(text(), minItems=1), "default": text()}, "default"))}, "url")),
        "paths": {"type": "object", "patternProperties": {"^/": ref2("path-item"), "^x-": True},
                  "additionalProperties": False}, "tags": array(record({"name": text()}, "name")),
        "components": record({k: table({"type": "object"}) for k in (
            "schemas", "responses", "parameters")})}, "anyOf": [
                {"required": ["paths"]}, {"required": ["components"]}, {"required": ["webhooks"]}],
        "patternProperties": {"^x-": True}, "additionalProperties": False}, **{"$defs": {
            "reference": record({"$ref": text(format="uri-reference")}, "$ref"),
            "path-item": closed({"summary": text(), "parameters": array(ref2("parameter")), **{
                k: ref2("operation") for k in ("get", "put", "post", "delete", "patch")}}),
            "parameter": {"if": {"type": "object", "required": ["$ref"]}, "then": ref2("reference"),
                          "else": {"type": "object", "required": ["name", "in"], "properties": {
                              "name": text(), "in": choice("query header path cookie"), "required":
                              flag(), "schema": {"type": ["object", "boolean"]}}, "if": {
                                  "properties": {"in": {"const": "path"}}}, "then": {
                                      "required": ["required"], "properties": {"required": {
                                          "const": True}}}}},
            "operation": record({"tags": texts(), "operationId": text(), "deprecated": flag(),
                                 "parameters": array(ref2("parameter")), "responses": {
                                     "type": "object", "minProperties": 1, "patternProperties": {
                                         "^[1-5](?:[0-9]{2}|XX)$": ref2("response"), "^x-": True},
                                     "properties": {"default": ref2("response")},
                                     "additionalProperties": False}}),
            "response": {"if": {"type": "object", "required": ["$ref"]}, "then": ref2("reference"),
                         "else": record({"description": text(), "content": table(record({
                             "schema": {"type": ["object", "boolean"]}}))}, "description")}}}),
    [one, {"openapi": "3.1.1", "info": {"title": "", "version": "2"}, "paths": {}}],
    [but(one, "openapi", "3.0.0"), but(one, "paths", {"wings": {}}), without(one, "paths"), but(
        one, "paths|/wings/{id}|get|parameters|0|required", False), but(
            one, "paths|/wings/{id}|get|responses|600", {"description": ""})])

one = {"asyncapi": "2.6.0", "info": {"title": "Lights", "version": "1.0.0"}, "channels": {
    "light/measured": {"publish": {"message": {"payload": {"type": "object"}, "name": "m"}},
                       "parameters": {"id": {"schema": {}}}}}, "servers": {"prod": {
                           "url": "mqtt.example.com", "protocol": "mqtt"}}}
CASES["asyncapi_document"] = (
    document(D7, "AsyncAPI", closed({
        "asyncapi": {"enum": ["2.5.0", "2.6.0"]}, "id": text(format="uri"), "info": record({
            "title": text(), "version": text()}, "title version"), "defaultContentType": text(),
        "servers": {"type": "object", "propertyNames": {"pattern": "^[\\w\\d\\-]+$"},
                    "additionalProperties": record({"url": text(), "protocol": text(), "bindings":
                                                    table({"type": "object"})}, "url protocol")},
        "channels": {"type": "object", "propertyNames": {"type": "string", "format": "uri-template",
                                                         "minLength": 1}, "additionalProperties":
                     {"type": "object", "properties": {"publish": ref("op"), "subscribe": ref("op"),
                                                       "parameters": table({"type": "object"})},
                      "patternProperties": {"^x-": True}, "additionalProperties": False}}},
        "asyncapi info channels", patternProperties={"^x-[\\w\\d\\.\\x2d_]+$": True}), definitions={
            "op": closed({"operationId": text(), "summary": text(), "message": {"oneOf": [
                ref("message"), closed({"oneOf": array(ref("message"))}, "oneOf")]}}),
            "message": closed({"name": text(), "contentType": text(), "payload": {}, "headers": {
                "allOf": [{"type": ["object", "boolean"]}]}, "correlationId": record({
                    "location": text(pattern="^\\$message\\.(header|payload)#(/[^/]+)*$")},
                    "location")})}),
    [one, {"asyncapi": "2.5.0", "info": {"title": "a", "version": "1"}, "channels": {"a": {
        "subscribe": {"message": {"oneOf": [{"correlationId": {
            "location": "$message.header#/id"}}]}}}}}],
    [but(one, "asyncapi", "3.0.0"), but(one, "servers|a b", {"url": "x", "protocol": "y"}), but(
        one, "channels|light/measured|request", {}), without(one, "info")])

# Shorter ones: what single operations take and give.
one = {"grant_type": "authorization_code", "code": "abc", "client_id": "web",
       "redirect_uri": "https://app.example.com/cb", "code_verifier": "a" * 43}
CASES["token_request"] = (
    document(D7, "token request", {"oneOf": [
        record({"grant_type": {"const": "authorization_code"}, "code": text(minLength=1),
                "redirect_uri": text(format="uri"), "client_id": text(), "code_verifier": text(
                    minLength=43, maxLength=128, pattern="^[A-Za-z0-9._~-]+$")},
               "grant_type code client_id"),
        record({"grant_type": {"const": "refresh_token"}, "refresh_token": text(minLength=1),
                "scope": ref("scope")}, "grant_type refresh_token"),
        record({"grant_type": {"const": "client_credentials"}, "scope": ref("scope"), "resource":
                array(text(format="uri"))}, "grant_type"),
        record({"grant_type": {"const": "urn:ietf:params:oauth:grant-type:device_code"},
                "device_code": text()}, "grant_type device_code")]}, definitions={"scope": text(
                    "Words with a space between", pattern="^[!#-\\[\\]-~]+( [!#-\\[\\]-~]+)*$")}),
    [one, {"grant_type": "client_credentials", "scope": "read write:all"}],
    [but(one, "code_verifier", "short"), without(one, "code"), {"grant_type": "password"},
     {"grant_type": "client_credentials", "scope": "a  b"}])

one = {"access_token": "eyJ", "token_type": "Bearer", "expires_in": 3600}
CASES["token_response"] = (
    document(D7, "token response", {"anyOf": [
        {"type": "object", "description": "It was granted", "properties": {
            "access_token": text(minLength=1), "token_type": text(pattern="^([Bb]earer|DPoP)$"),
            "expires_in": whole("Seconds", minimum=1), "refresh_token": text(), "scope": text(),
            "id_token": text(pattern="^[\\w-]+\\.[\\w-]+\\.[\\w-]*$")},
            "required": ["access_token", "token_type"]},
        {"type": "object", "description": "It was not", "properties": {
            "error": choice("invalid_request invalid_client invalid_grant unauthorized_client "
                            "unsupported_grant_type invalid_scope"),
            "error_description": text(pattern="^[ !#-\\[\\]-~]*$"), "error_uri": text(
                format="uri")}, "required": ["error"]}]}),
    [one, {"error": "invalid_grant", "error_description": "The code has been used"}],
    [but(one, "token_type", "mac"), {"error": "other"}, but(one, "expires_in", 0)])

one = {"keys": [{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                 "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "kid": "1", "use": "sig"},
                {"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ", "alg": "HS256"}]}
b64 = text(pattern="^[A-Za-z0-9_-]+$")
base = {"use": choice("sig enc"), "kid": text(), "alg": text(), "key_ops": array(choice(
    "sign verify encrypt decrypt wrapKey unwrapKey"), uniqueItems=True), "x5t": b64}
CASES["key_set"] = (
    document(D20, "JSON Web Key Set", record({"keys": array(ref2("key"))}, "keys"), **{"$defs": {
        "key": {"type": "object", "required": ["kty"], "properties": base, "oneOf": [
            {"properties": {"kty": {"const": "RSA"}, "n": ref2("b64"), "e": ref2("b64")},
             "required": ["n", "e"]},
            {"properties": {"kty": {"const": "EC"}, "crv": {"enum": ["P-256", "P-384", "P-521"]},
                            "x": ref2("b64"), "y": ref2("b64")}, "required": ["crv", "x", "y"]},
            {"properties": {"kty": {"const": "oct"}, "k": ref2("b64")}, "required": ["k"]}]},
        "b64": b64}}),
    [one, {"keys": [{"kty": "RSA", "n": "0vx7", "e": "AQAB", "key_ops": ["verify"]}]}],
    [without(one, "keys|0|y"), but(one, "keys|1|k", "a=="), but(
        one, "keys|0|key_ops", ["sign", "sign"]), but(one, "keys|0|kty", "RSA")])

one = {"iss": "https://id.example.com", "sub": "u1", "aud": ["web", "api"], "exp": 1700003600,
       "iat": 1700000000.5, "email": "jo@example.com", "address": {"country": "CH"}}
CASES["id_token_claims"] = (
    document(None, "claims", {"allOf": [
        record({"iss": text(format="uri"), "sub": text(maxLength=255), "aud": {"anyOf": [
            text(), array(text(), minItems=1)]}, "exp": number(), "iat": number(), "nbf": number(),
            "jti": text()}, "iss sub aud exp iat"),
        record({"email": text(format="email"), "email_verified": flag(), "birthdate": text(
            pattern="^([0-9]{4}|0000)(-[0-9]{2}-[0-9]{2})?$"), "zoneinfo": text(), "phone_number":
            text(pattern="^\\+[0-9]{5,15}$"), "address": record({
                k: text() for k in ("formatted", "street_address", "postal_code", "country")}),
            "amr": texts(), "nonce": text()})]}),
    [one, but(one, "aud", "web")],
    [but(one, "aud", []), without(one, "exp"), but(one, "birthdate", "31.1.1990"),
     but(one, "email_verified", "yes")])

one = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
    {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "jo@example.com"},
    {"op": "remove", "path": "nickName"}]}
CASES["scim_patch"] = (
    document(D7, "PatchOp", closed({
        "schemas": {"type": "array", "items": [{
            "const": "urn:ietf:params:scim:api:messages:2.0:PatchOp"}], "minItems": 1,
            "additionalItems": False},
        "Operations": array({"type": "object", "required": ["op"], "properties": {
            "op": {"type": "string", "enum": ["add", "remove", "replace", "Add", "Remove",
                                              "Replace"]}, "path": text(minLength=1), "value": {}},
            "allOf": [{"if": {"properties": {"op": {"pattern": "^[Rr]emove$"}}}, "then": {
                "required": ["path"]}, "else": {"required": ["value"]}}]}, minItems=1)},
        "schemas Operations")),
    [one, but(one, "Operations", [{"op": "Add", "value": {"active": True}}])],
    [but(one, "Operations|1", {"op": "remove"}), but(one, "schemas", []), but(
        one, "Operations|0", {"op": "replace", "path": "x"}), but(one, "Operations", [])])

one = [{"op": "test", "path": "/a/b", "value": "foo"}, {"op": "move", "from": "/a/b", "path": "/c"}]
CASES["json_patch"] = (
    document(D4, "JSON patch", array({"oneOf": [
        {"additionalProperties": False, "required": ["value", "op", "path"], "properties": {
            "path": ref("path"), "op": {"description": "What is done", "type": "string", "enum": [
                "add", "replace", "test"]}, "value": {
                "description": "What is written or compared"}}},
        {"additionalProperties": False, "required": ["op", "path"], "properties": {
            "path": ref("path"), "op": {"description": "What is done", "type": "string", "enum": [
                "remove"]}}},
        {"additionalProperties": False, "required": ["from", "op", "path"], "properties": {
            "path": ref("path"), "op": {"description": "What is done", "type": "string", "enum": [
                "move", "copy"]}, "from": {"$ref": "#/definitions/path", "description":
                                           "Where it is taken from"}}}]}),
        definitions={"path": {"description": "A pointer to the place", "type": "string"}}),
    [one, [{"op": "add", "path": "/x", "value": {"y": [None, 1]}}, {"op": "remove", "path": "/x"}]],
    [[{"op": "test", "path": "/a"}], [{"op": "swap", "path": "/a", "value": 1}], [
        {"op": "remove", "path": "/a", "value": 1}]])

one = {"query": {"bool": {"must": [{"match": {"title": {"query": "search", "operator": "and"}}},
                                   {"term": {"status": "published"}}], "filter": {"range": {
    "date": {"gte": "2024-01-01", "lt": "now"}}}}}, "size": 10, "sort": ["_score", {
        "date": "desc"}],
    "aggs": {"by": {"terms": {"field": "tag"}, "aggs": {"n": {"avg": {"field": "x"}}}}}}
scalar = {"type": ["string", "number", "boolean"]}
single = {"minProperties": 1, "maxProperties": 1}
CASES["search_request"] = (
    document(D20, "search", closed({
        "query": ref2("query"), "from": whole(minimum=0), "size": whole(minimum=0, maximum=10000),
        "sort": array({"oneOf": [text(), table({"oneOf": [choice("asc desc"), record({
            "order": choice("asc desc"), "missing": choice("_first _last")})]}, **single)]}),
        "_source": {"oneOf": [flag(), text(), texts(), closed({"includes": texts(), "excludes":
                                                               texts()})]}, "aggs": ref2("aggs"),
        "track_total_hits": {"oneOf": [flag(), whole()]}}), **{"$defs": {
            "clauses": {"oneOf": [ref2("query"), array(ref2("query"))]}, "query": closed({
                "match_all": record({"boost": number()}), "term": table(scalar, **single), "terms":
                table(array(scalar)), "match": table({"oneOf": [scalar, record({
                    "query": scalar, "operator": choice("and or"), "fuzziness": {"oneOf": [
                        {"const": "AUTO"}, whole(minimum=0, maximum=2)]}}, "query")]}, **single),
                "range": table(closed({k: {"type": ["string", "number"]} for k in (
                    "gt", "gte", "lt", "lte")}), **single), "exists": closed({"field": text()},
                                                                            "field"),
                "bool": closed({**{k: ref2("clauses") for k in (
                    "must", "should", "filter", "must_not")}, "minimum_should_match": {"type": [
                        "integer", "string"]}})}, **single),
            "aggs": table({"type": "object", "properties": {
                "terms": record({"field": text(), "size": whole(minimum=1)}, "field"), **{
                    k: record({"field": text()}, "field") for k in ("avg", "sum", "max")}, "aggs":
                ref2("aggs")}, "minProperties": 1, "maxProperties": 2})}}),
    [one, {"query": {"match_all": {}}, "_source": False}],
    [but(one, "query|term", {}), but(one, "query|bool|must|0|match", {}), but(one, "size", -1),
     but(one, "query|bool|filter|range|date|eq", 1), but(one, "sort|1", {"date": "up"})])

one = {"query": "query Hero($id: ID!) { hero(id: $id) { name } }", "variables": {"id": 1000},
       "operationName": "Hero"}
CASES["graphql_request"] = (
    document(D7, "GraphQL over HTTP", {"oneOf": [ref("request"), array(ref("request"),
        minItems=1)]},
             definitions={"request": closed({
        "query": text("A document", minLength=1), "operationName": {"type": ["string", "null"],
            "pattern": "^[_A-Za-z][_0-9A-Za-z]*$"}, "variables": {"type": ["object", "null"],
            "propertyNames": {"pattern": "^[_A-Za-z][_0-9A-Za-z]*$"}}, "extensions": record({
                "persistedQuery": closed({"version": {"const": 1}, "sha256Hash": text(
                    pattern="^[0-9a-f]{64}$")}, "version sha256Hash")})}, anyOf=[
                        {"required": ["query"]}, {"required": ["extensions"]}])}),
    [one, [one, {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}]],
    [but(one, "variables", []), {"operationName": "x"}, but(one, "operationName", "1x"), []])

one = {"data": {"hero": None}, "errors": [{"message": "no hero", "path": ["hero", 0, "name"],
                                           "locations": [{"line": 1, "column": 9}]}]}
CASES["graphql_response"] = (
    document(D20, "GraphQL response", {"type": "object", "properties": {
        "data": {"type": ["object", "null"], "description": "What was asked for"},
        "errors": array(record({
            "message": text("For the developer"), "locations": array(closed({
                "line": whole(minimum=1), "column": whole(minimum=1)}, "line column"), minItems=1),
            "path": array({"type": ["string", "integer"]}, "Names and places in lists"),
            "extensions": record({"code": text(pattern="^[A-Z][A-Z_]*$")})}, "message"),
            minItems=1), "extensions": {"type": "object"}}, "anyOf": [
                {"required": ["data"]}, {"required": ["errors"]}], "additionalProperties": False}),
    [one, {"data": {"a": [1, 2, {"b": "c"}]}}, {"errors": [{"message": "x", "extensions": {
        "code": "BAD_INPUT"}}]}],
    [{}, but(one, "errors", []), but(one, "errors|0|locations|0|line", 0), but(
        one, "errors|0|path|1", 1.5)])

one = {"name": "web", "active": True, "events": ["push"], "config": {
    "url": "https://hooks.example.com/1", "content_type": "json", "insecure_ssl": "0"}}
CASES["webhook"] = (
    body("create a webhook", "Hook", D7, Hook=record({
        "name": {"const": "web"}, "active": flag(default=True), "events": array(component("Event"),
            default=["push"], minItems=1, uniqueItems=True), "config": record({
                "url": text(format="uri"), "content_type": choice("json form"), "secret": text(),
                "insecure_ssl": {"oneOf": [{"enum": ["0", "1"]}, {"enum": [0, 1]}]}}, "url")},
        "config"), Event=choice("* push pull_request issues issue_comment release workflow_run")),
    [one, {"config": {"url": "https://a.example.org", "insecure_ssl": 0}}],
    [but(one, "events", ["push", "push"]), but(one, "config|url", "a"), but(one, "events", []),
     but(one, "config|insecure_ssl", 2)])

one = {"update_id": 12, "message": {"message_id": 3, "date": 1700000000, "chat": {
    "id": -100123, "type": "supergroup", "title": "x"}, "from": {"id": 5, "is_bot": False,
                                                                 "first_name": "Jo"},
    "text": "/start now", "entities": [{"type": "bot_command", "offset": 0, "length": 6}]}}
CASES["bot_update"] = (
    body("Update", "Update", Update=record({
        "update_id": whole(), "message": component("Message"), "edited_message": component(
            "Message"), "callback_query": record({"id": text(), "from": component("User"), "data":
                                                  text(maxLength=64)}, "id from")}, "update_id",
        minProperties=2, maxProperties=2),
        User=record({"id": whole(format="int64"), "is_bot": flag(), "first_name": text(),
                     "username": text(pattern="^[A-Za-z0-9_]{5,32}$")}, "id is_bot first_name"),
        Message=record({"message_id": whole(), "date": whole(), "chat": record({
            "id": whole(), "type": choice("private group supergroup channel"), "title": text()},
            "id type"), "from": component("User"), "text": text(maxLength=4096), "entities": array(
                record({"type": choice("mention hashtag bot_command url bold"), "offset": whole(
                    minimum=0), "length": whole(minimum=1)}, "type offset length")),
            "reply_to_message": component("Message")}, "message_id date chat")),
    [one, {"update_id": 1, "callback_query": {"id": "a", "from": {
        "id": 1, "is_bot": True, "first_name": "B"}}}],
    [{"update_id": 1}, but(one, "message|chat|type", "forum"), but(
        one, "message|from|username", "jo"), but(one, "message|entities|0|length", 0)])

one = {"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1",
                    "eventTime": "1970-01-01T00:00:00.000Z", "eventName": "ObjectCreated:Put",
                    "s3": {"bucket": {"name": "b", "arn": "arn:aws:s3:::b"}, "object": {
                        "key": "a+b.txt", "size": 1024,
                        "eTag": "d41d8cd98f00b204e9800998ecf8427e"}}}
                   ]}
CASES["bucket_event"] = (
    document(D4, "bucket notification", record({"Records": array(record({
        "eventVersion": text(pattern="^2\\.[0-9]$"), "eventSource": {"enum": ["aws:s3"]},
        "awsRegion": text(pattern="^[a-z]{2}(-gov)?-[a-z]+-[1-9]$"), "eventTime": text(
            format="date-time"), "eventName": text(pattern=(
                "^(ObjectCreated:(Put|Post|Copy)|ObjectRemoved:(Delete|DeleteMarkerCreated))$")),
        "s3": record({"bucket": record({"name": text(minLength=1), "arn": text(
            pattern="^arn:aws(-cn)?:s3:::")}, "name"), "object": record({
                "key": text(maxLength=1024), "size": whole(minimum=0), "eTag": text(
                    pattern="^[0-9a-f]{32}(-[0-9]+)?$"), "sequencer": text()}, "key")},
            "bucket object")}, "eventSource eventTime eventName s3"), minItems=1, maxItems=1)},
        "Records")),
    [one, without(one, "Records|0|awsRegion")],
    [{"Records": []}, but(one, "Records|0|awsRegion", "Ireland"), but(
        one, "Records|0|eventName", "Created"), but(one, "Records|0|s3|object|size", -1)])

one = {"specversion": "1.0", "id": "A234", "source": "/mill/1", "type": "com.example.turned",
       "time": "2024-04-05T17:31:00Z", "data": {"wings": 4}, "datacontenttype": "application/json",
       "comexampleext1": "value"}
CASES["cloud_event"] = (
    document(D7, "CloudEvent", {"type": "object", "properties": {
        "specversion": text(minLength=1), "id": {"$ref": "#/definitions/nonempty", "examples": [
        "A"]},
        "source": text(format="uri-reference", minLength=1), "type": ref("nonempty"),
        "datacontenttype": {"type": ["string", "null"], "minLength": 1}, "dataschema": {
            "type": ["string", "null"], "format": "uri", "minLength": 1}, "subject": {
                "type": ["string", "null"], "minLength": 1}, "time": {
                    "type": ["string", "null"], "format": "date-time"}, "data": {"type": [
                        "object", "string", "number", "array", "boolean", "null"]}, "data_base64": {
                            "type": ["string", "null"], "contentEncoding": "base64"}},
        "required": ["id", "source", "specversion", "type"], "patternProperties": {
            "^[a-z0-9]{1,20}$": {"type": ["string", "number", "boolean", "object", "array",
            "null"]}},
        "additionalProperties": False}, definitions={"nonempty": text(minLength=1)}),
    [one, {"specversion": "1.0", "id": "1", "source": "a", "type": "b", "time": None}],
    [but(one, "id", ""), but(one, "time", "now"), but(one, "my-ext", 1), without(one, "type")])

one = {"kind": "t3", "data": {"id": "a1", "title": "x", "score": -3, "edited": False, "replies": {
    "kind": "Listing", "data": {"children": [{"kind": "t1", "data": {"id": "b", "body": "y",
                                                                     "replies": ""}}]}}}}
CASES["comment_tree"] = (
    document(D7, "thing", ref("thing"), definitions={
        "thing": {"oneOf": [ref("post"), ref("comment"), ref("listing")]},
        "listing": record({"kind": {"const": "Listing"}, "data": record({
            "children": array(ref("thing")), "after": {"type": ["string", "null"]}}, "children")},
            "kind data"),
        "post": record({"kind": {"const": "t3"}, "data": record({
            "id": ref("id"), "title": text(maxLength=300), "score": whole(), "edited": {"oneOf": [
                {"const": False}, number(exclusiveMinimum=0)]}, "replies": ref("replies")},
            "id title")}, "kind data"),
        "comment": record({"kind": {"const": "t1"}, "data": record({
            "id": ref("id"), "body": text(), "depth": whole(minimum=0), "replies": ref("replies")},
            "id body")}, "kind data"),
        "replies": {"anyOf": [ref("listing"), {"const": ""}]}, "id": text(
            pattern="^[0-9a-z]{1,8}$")}),
    [one, but(one, "data|edited", 1700000000.5)],
    [but(one, "data|edited", True), but(one, "kind", "t9"), but(one, "data|replies", "none"),
     but(one, "data|id", "A-1")])
