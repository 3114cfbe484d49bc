"""Configuration of services, databases, games, devices and smaller tools."""

# fmt: off
from schemas_written.common import (
    D4, D6, D7, D19, D20, array, but, choice, closed, document, flag, number, record, ref, ref2,
    table, text, texts, whole, without,
)

CASES = {}

one = {"log-driver": "json-file", "log-opts": {"max-size": "10m"}, "dns": ["1.1.1.1"],
    "default-address-pools": [{
    "base": "10.10.0.0/16", "size": 24}], "features": {"buildkit": True}, "hosts": [
        "unix:///run/d.sock"]}
CASES["container_daemon"] = (
    document(D7, "daemon.json", closed({
        "debug": flag(), "log-driver": choice("json-file local syslog journald none"),
        "log-opts": table(),
        "dns": array({"anyOf": [text(format="ipv4"), text(format="ipv6")]}), "hosts": array(text(
            pattern="^(unix|tcp|fd)://")), "default-address-pools": array(closed({"base": text(
                pattern="^[0-9a-f.:]+/[0-9]+$"), "size": whole(minimum=8, maximum=64)},
                "base size")),
        "features": table(flag()), "storage-driver": choice("overlay2 btrfs zfs vfs"),
        "ulimits": table(record({
            "Name": text(), "Hard": whole(minimum=-1), "Soft": whole(minimum=-1)}, "Name")),
            "runtimes": table({
                "oneOf": [closed({"path": text(), "runtimeArgs": texts()}, "path"), closed({
                "runtimeType": text(),
                          "options": {"type": "object"}}, "runtimeType")]}), "tls": flag(),
                          "tlscacert": text(),
        "max-concurrent-downloads": whole(minimum=1)}, dependencies={"tlscacert": ["tls"]})),
    [one, {"runtimes": {"a": {"path": "/usr/bin/a"}}}],
    [but(one, "tlscacert", "/a"), but(one, "dns", ["one"]), but(one, "hosts", ["/run/d.sock"]), but(
        one, "default-address-pools|0|size", 4), {"runtimes": {"a": {"path": "x",
        "runtimeType": "y"}}}])

one = {"collections": [{"name": "posts", "folder": "content", "fields": [{"name": "title",
    "widget": "string"}, {
    "name": "tags", "widget": "list", "field": {"name": "tag", "widget": "string"}}, {
        "name": "kind", "widget":
    "select", "options": ["a", {"label": "B", "value": "b"}]}]}], "backend": {
        "name": "git-gateway"},
       "media_folder": "static"}
CASES["content_manager"] = (
    document(D20, "content manager", record({
        "backend": record({"name": choice("git-gateway github gitlab test-repo"), "repo": text(
        pattern="^\\S+/\\S+$"),
                           "branch": text()}, "name", **{"if": {"properties": {"name": {"enum": [
                               "github", "gitlab"]}}}, "then": {"required": ["repo"]}}),
                               "media_folder": text(),
        "collections": array({"type": "object", "properties": {"name": text(), "label": text(),
        "folder": text(),
            "files": array(record({"file": text(), "name": text(), "fields": ref2("fields")},
            "file fields")), "fields":
            ref2("fields"), "slug": text()}, "required": ["name"], "oneOf": [{"required": [
            "files"]}, {
                "required": ["folder", "fields"]}]}, minItems=1)}, "backend collections"), **{
                "$defs": {
            "fields": array(ref2("field"), minItems=1), "field": {"type": "object", "required": [
            "name"], "properties": {
                "name": text(), "label": text(), "widget": text(default="string"), "required": flag(
                ), "hint": text(),
                "pattern": {"type": "array", "prefixItems": [text(format="regex"), text()],
                "items": False}, "field":
                ref2("field"), "fields": ref2("fields"), "options": array({"anyOf": [text(), closed(
                {
                    "label": text(), "value": {"type": ["string", "number"]}}, "label value")]})},
                    "allOf": [{"if": {
                        "properties": {"widget": {"const": "select"}}, "required": ["widget"]},
                        "then": {
                            "required": ["options"]}}, {"not": {"required": ["field",
                            "fields"]}}]}}}),
    [one, but(one, "backend", {"name": "github", "repo": "a/b"})],
    [but(one, "backend|name", "github"), but(one, "collections|0|fields|0|widget", "select"), but(
        one, "collections|0|files", []), but(one, "collections|0|fields", [])])

one = {"entity": "light.desk", "type": "button", "tap_action": {"action": "toggle"},
    "hold_action": {
    "action": "call-service", "service": "light.turn_on", "data": {"brightness": 30}},
        "icon": "mdi:lamp"}
CASES["home_card"] = (
    document(D7, "card of a dashboard", {"oneOf": [ref("button"), ref("entities"), ref("stack")]},
        definitions={
        "entity": text(pattern="^[a-z_]+\\.[a-z0-9_]+$"), "action": {"type": "object", "oneOf": [
            closed({"action": choice("none toggle more-info")}, "action"), closed({"action": {
            "const": "navigate"},
                "navigation_path": text(pattern="^/")}, "action navigation_path"), closed({
                "action": {
                    "const": "call-service"}, "service": text(), "data": {"type": "object"}},
                    "action service")]},
        "button": closed({"type": {"const": "button"}, "entity": ref("entity"), "name": text(),
        "icon": text(
            pattern="^mdi:[a-z0-9-]+$"), "tap_action": ref("action"), "hold_action": ref("action"),
            "show_state":
            flag()}, "type"), "entities": closed({"type": {"const": "entities"}, "title": text(),
            "entities": array({
                "anyOf": [ref("entity"), closed({"entity": ref("entity"), "name": text()},
                "entity"), closed({
                    "type": {"const": "divider"}}, "type")]}, minItems=1)}, "type entities"),
                    "stack": closed({
                        "type": choice("vertical-stack horizontal-stack"), "cards": array({
                        "$ref": "#"})},
                        "type cards")}),
    [one, {"type": "vertical-stack", "cards": [one, {"type": "entities", "entities": ["sun.sun", {
        "type": "divider"}]}]}],
    [but(one, "entity", "desk"), but(one, "tap_action", {"action": "navigate"}), {"type": "grid",
        "cards": []}, but(
        one, "icon", "lamp")])

one = {"format_version": 2, "header": {"name": "Pack", "uuid": "123e4567-e89b-12d3-a456-4266141740"
    "00", "version": [
    1, 0, 0], "min_engine_version": [1, 20, 0]}, "modules": [{"type": "script", "uuid":
    "123e4567-e89b-12d3-a456-426614174001", "version": [1, 0, 0], "entry": "scripts/a.js"}]}
CASES["game_pack"] = (
    document(D7, "manifest of a pack", closed({
        "format_version": {"enum": [1, 2]}, "header": closed({"name": text(), "description": text(
        ), "uuid": ref("uuid"),
            "version": ref("version"), "min_engine_version": ref("version"), "pack_scope": choice(
            "global world any")},
            "name uuid version"), "modules": array(record({"type": choice(
                "resources data client_data interface script"), "uuid": ref("uuid"), "version": ref(
                "version"), "entry":
                text(pattern="^scripts/.+\\.js$"), "language": {"const": "javascript"}},
                "type uuid version", **{
                    "if": {"properties": {"type": {"const": "script"}}}, "then": {"required": [
                    "entry"]}, "else": {
                        "not": {"required": ["entry"]}}}), minItems=1), "dependencies": array({
                        "oneOf": [closed({
                            "uuid": ref("uuid"), "version": ref("version")}, "uuid version"),
                            closed({"module_name": text(
                                pattern="^@minecraft/[a-z-]+$"), "version": text(pattern=(
                                    "^\\d+\\.\\d+\\.\\d+(-beta)?$"))}, "module_name version")]})},
        "format_version header modules"), definitions={"uuid": text(pattern=(
            "^[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12}$")),
            "version": {
                "type": "array", "items": [whole(minimum=0), whole(minimum=0), whole(minimum=0)],
                "minItems": 3,
                "additionalItems": False}}),
    [one, but(one, "dependencies", [{"module_name": "@minecraft/server",
        "version": "1.8.0-beta"}])],
    [but(one, "header|version", [1, 0]), but(one, "modules|0|type", "data"), without(one,
        "modules|0|entry"), but(
        one, "dependencies", [{"module_name": "server", "version": "1.8.0"}])])

one = {"type": "minecraft:crafting_shaped", "pattern": ["##", " S"], "key": {"#": {
    "item": "minecraft:stone"}, "S": [
    {"tag": "minecraft:logs"}]}, "result": {"item": "mill:wing", "count": 2}}
CASES["game_recipe"] = (
    document(D4, "recipe", {"type": "object", "required": ["type"], "oneOf": [
        {"properties": {"type": {"enum": ["minecraft:crafting_shaped"]}, "pattern": array(text(
        minLength=1, maxLength=3),
            minItems=1, maxItems=3), "key": {"type": "object", "patternProperties": {"^[^ ]$": ref(
            "ingredient")},
                                             "additionalProperties": False}, "result": ref(
                                             "stack"), "group": text()},
         "required": ["pattern", "key", "result"], "additionalProperties": False},
        {"properties": {"type": {"enum": ["minecraft:crafting_shapeless"]}, "ingredients": array(
        ref("ingredient"),
            minItems=1, maxItems=9), "result": ref("stack"), "group": text()}, "required": [
            "ingredients", "result"],
         "additionalProperties": False},
        {"properties": {"type": {"enum": ["minecraft:smelting", "minecraft:blasting"]},
        "ingredient": ref("ingredient"),
                        "result": ref("id"), "experience": number(minimum=0), "cookingtime": whole(
                        minimum=1)},
         "required": ["ingredient", "result"], "additionalProperties": False}]}, definitions={
        "id": text(pattern="^([a-z0-9_.-]+:)?[a-z0-9_./-]+$"), "stack": record({"item": ref("id"),
        "count": whole(
            minimum=1, maximum=64)}, "item"), "one": {"type": "object", "properties": {"item": ref(
            "id"), "tag": ref("id")},
            "minProperties": 1, "maxProperties": 1, "additionalProperties": False}, "ingredient": {
            "anyOf": [ref("one"),
                array(ref("one"), minItems=1)]}}),
    [one, {"type": "minecraft:smelting", "ingredient": {"item": "iron_ore"},
        "result": "iron_ingot", "experience": 0.7}],
    [but(one, "pattern", ["####"]), but(one, "key| ", {"item": "x"}), but(one, "result|count", 65),
        but(
        one, "key|#", {"item": "a", "tag": "b"})])

one = {"processors": {"batch": {"timeout": "5s"}}, "receivers": {"otlp/2": {"protocols": {
    "grpc": None, "http": {
    "endpoint": "0.0.0.0:4318"}}}}, "exporters": {"debug": {"verbosity": "detailed"}}, "service": {
        "pipelines": {
        "traces": {"receivers": ["otlp/2"], "processors": ["batch"], "exporters": ["debug"]}}}}
component = "^[a-zA-Z][a-zA-Z0-9_]*(/[^/\\s]+)?$"
CASES["collector"] = (
    document(D7, "collector", record({
        **{k: {"type": "object", "propertyNames": {"pattern": component}, "properties": properties,
               "additionalProperties": {"type": ["object", "null"]}, "minProperties": 1} for k,
               properties in {
            "receivers": {"otlp": {"$ref": "#/definitions/otlp"}}, "exporters": {"debug": closed({
            "verbosity": choice(
                "basic normal detailed"), "sampling_initial": whole(minimum=0)})}}.items()},
                "processors": {
            "type": "object", "properties": {"batch": {"type": ["object", "null"], "properties": {
            "timeout": ref("duration"),
                "send_batch_size": whole(minimum=1)}}, "memory_limiter": closed({
                "check_interval": ref("duration"),
                "limit_mib": whole(minimum=1), "limit_percentage": whole(minimum=1, maximum=100)},
                "check_interval", oneOf=[
                    {"required": ["limit_mib"]}, {"required": ["limit_percentage"]}])}},
                    "service": record({
                        "extensions": texts(), "pipelines": {"type": "object", "minProperties": 1,
                        "patternProperties": {
                            "^(traces|metrics|logs)(/.+)?$": closed({"receivers": ref("names"),
                            "processors": array(text()),
                                                                     "exporters": ref("names")},
                                                                     "receivers exporters")},
                            "additionalProperties": False}}, "pipelines")},
                            "receivers exporters service"), definitions={
            "duration": text(pattern="^[0-9]+(ms|s|m|h)$"), "names": array(text(pattern=component),
            minItems=1), "otlp": {
                "type": ["object", "null"], "properties": {"protocols": record({k: {"type": [
                "object", "null"], "properties": {
                    "endpoint": text(pattern="^.*:[0-9]+$")}} for k in ("grpc", "http")})}}}),
    [one, but(one, "processors", {"memory_limiter": {"check_interval": "1s", "limit_mib": 400}})],
    [but(one, "service|pipelines|spans", {"receivers": ["a"], "exporters": ["b"]}), but(
        one, "processors", {"memory_limiter": {"check_interval": "1s"}}), but(one, "exporters", {
        }), but(
            one, "service|pipelines|traces|receivers", [])])

one = {"theme": "dark", "profiles": {"defaults": {"font": {"face": "Mono", "size": 11.5}}, "list": [
    {"name": "bash",
       "guid": "{61c54bbd-c2c6-5271-96e7-009a87ff44bf}", "hidden": False, "opacity": 80}]},
       "actions": [{
           "command": {"action": "splitPane", "split": "auto"}, "keys": "alt+shift+d"}, {
           "command": None, "keys": ["ctrl+v"]}],
       "schemes": [{"name": "S", "background": "#0C0C0C", "foreground": "#CCC"}]}
CASES["terminal"] = (
    document(D7, "settings of a terminal", {"allOf": [ref("globals"), {"required": ["profiles"],
        "properties": {
        "profiles": {"oneOf": [array(ref("profile")), closed({"list": array(ref("profile")),
        "defaults": ref("profile")},
                                                            "list")]}}}]}, definitions={
        "color": {"oneOf": [text(pattern="^#[A-Fa-f0-9]{3}(?:[A-Fa-f0-9]{3})?$", format="color"), {
        "type": "null"}]}, "keys": {
            "oneOf": [text(pattern=("^((ctrl|alt|shift|win)\\+){0,3}[^\\s+]+$")), array(text(),
                      minItems=1, maxItems=1), {"type": "null"}]}, "profile": record({
                          "name": text(minLength=1), "guid": text(
                          pattern="^\\{[a-fA-F0-9]{8}(-[a-fA-F0-9]{4}){3}-"
                                                                  "[a-fA-F0-9]{12}\\}$"),
                                                                  "hidden": flag(),
                                                                  "opacity": whole(
                minimum=0, maximum=100, default=100), "font": record({"face": text(),
                "size": number(minimum=1), "weight": {
                    "oneOf": [choice("thin light normal bold"), whole(minimum=100,
                    maximum=990)]}}), "colorScheme": {"oneOf": [
                        text(), closed({"light": text(), "dark": text()})]}}), "command": {
                        "oneOf": [{"type": "null"}, text(),
                            record({"action": {"const": "splitPane"}, "split": choice(
                            "auto up right down left"), "size": number(
                                minimum=0, maximum=1)}, "action"), record({"action": {
                                "const": "copy"}, "singleLine": flag()},
                                                                          "action")]}, "globals": {
                                                                          "type": "object",
            "properties": {"theme": {"oneOf": [choice("dark light system"), text()]},
            "actions": array(record({"command": ref(
                "command"), "keys": ref("keys"), "name": {"type": ["string", "null"]}},
                "command")), "schemes": array(record({
                    "name": text(), **{k: ref("color") for k in ("background", "foreground",
                    "cursorColor", "black", "red")}},
                    "name"))}}}),
    [but(one, "theme", "solar"), but(but(one, "theme", "x"), "profiles", [{"name": "a"}])],
    [but(one, "profiles|list|0|opacity", 101), but(one, "schemes|0|background", "black"), but(
        one, "actions|0|command|split", "left-up"), without(one, "profiles")])

one = {"board": "esp32dev", "wifi": {"networks": [{"ssid": "home", "password": "correct horse"}]},
    "sensor": [{
    "platform": "dht", "pin": "GPIO4", "temperature": {"name": "T", "filters": [{"offset": -0.5},
        "round"]},
    "update_interval": "60s"}], "switch": [{"platform": "gpio", "pin": {"number": 5,
        "inverted": True}, "id": "relay"}]}
CASES["device_firmware"] = (
    document(D20, "device", record({
        "board": text(pattern="^[a-z0-9_-]+$"), "wifi": record({"networks": array(closed({
        "ssid": text(minLength=1, maxLength=32),
            "password": {"oneOf": [{"const": ""}, text(minLength=8, maxLength=63)]},
            "priority": number()}, "ssid"),
            minItems=1), "ap": closed({"ssid": text()})}, anyOf=[{"required": ["networks"]}, {
            "required": ["ap"]}]), "sensor":
        array({"oneOf": [record({"platform": {"const": "dht"}, "pin": ref2("pin"), "model": choice(
        "DHT11 DHT22 AM2302"),
            "temperature": ref2("value"), "humidity": ref2("value"), "update_interval": ref2(
            "time")}, "platform pin"),
            record({"platform": {"const": "adc"}, "pin": {"anyOf": [ref2("pin"), {
            "const": "VCC"}]}, "attenuation": {
                "enum": ["auto", "0db", "2.5db", "6db", "11db"]}, "name": text()},
                "platform pin")]}), "switch": array(record({
                    "platform": {"const": "gpio"}, "pin": ref2("pin"), "id": text(
                    pattern="^[a-zA-Z_]\\w*$"), "restore_mode":
                    choice("ALWAYS_ON ALWAYS_OFF RESTORE_DEFAULT_OFF")}, "platform pin"))},
                    "board"), **{"$defs": {
            "pin": {"anyOf": [text(pattern="^(GPIO|D|A)[0-9]{1,2}$"), whole(minimum=0, maximum=48),
            closed({"number": {
                "type": ["integer", "string"]}, "inverted": flag(), "mode": choice(
                "INPUT OUTPUT INPUT_PULLUP")}, "number")]},
            "time": text(pattern="^([0-9]+(\\.[0-9]+)?(us|ms|s|min|h|d)|never)$"), "value": closed({
            "name": text(), "unit":
                text(maxLength=8), "accuracy": whole(minimum=0, maximum=6), "filters": array({
                "anyOf": [choice("round debounce"),
                    closed({"offset": number()}, "offset"), closed({"multiply": number()},
                    "multiply"), closed({
                        "sliding_window": closed({"window": whole(minimum=1), "every": whole(
                        minimum=1)}, "window")},
                        "sliding_window")]})}, "name")}}),
    [one, {"board": "d1", "wifi": {"ap": {}}, "sensor": [{"platform": "adc", "pin": "VCC",
        "attenuation": "auto"}]}],
    [but(one, "wifi|networks|0|password", "short"), but(one, "wifi", {}), but(one, "sensor|0|pin",
        "X4"), but(
        one, "sensor|0|temperature|filters", ["median"]), but(one, "sensor|0|update_interval",
        "1 minute")])

one = {"inbounds": [{"protocol": "socks", "port": 1080, "listen": "127.0.0.1", "settings": {
    "udp": True}}], "outbounds": [{
    "protocol": "freedom", "tag": "direct"}], "routing": {"rules": [{"type": "field", "domain": [
        "geosite:cn", "full:a.example"],
                                                                     "outboundTag": "direct",
                                                                     "port": "53,443,1000-2000"}]}}
CASES["proxy_client"] = (
    document(D6, "proxy", closed({
        "log": closed({"loglevel": choice("debug info warning error none"), "access": text()}),
        "inbounds": array({
            "type": "object", "required": ["protocol", "port"], "properties": {"port": {"anyOf": [
            whole(minimum=1,
                maximum=65535), text(pattern="^[0-9]+-[0-9]+$")]}, "listen": {"anyOf": [text(
                format="ipv4"), text(
                    format="ipv6")]}, "tag": text(), "protocol": choice(
                    "socks http dokodemo-door"), "settings": {
                        "type": "object"}}, "allOf": [{"anyOf": [{"properties": {"protocol": {
                        "not": {"const": "socks"}}}}, {
                            "properties": {"settings": closed({"auth": choice("noauth password"),
                            "udp": flag(), "accounts":
                                array(closed({"user": text(), "pass": text()},
                                "user pass"))})}}]}]}), "outbounds": array(
                                    record({"protocol": choice("freedom blackhole vmess socks"),
                                    "tag": text(), "settings": {
                                        "type": "object"}}, "protocol"), minItems=1),
                                        "routing": record({"domainStrategy": choice(
                                            "AsIs IPIfNonMatch IPOnDemand"), "rules": array(record({
                                            "type": {"const": "field"},
                                            "domain": array(text(pattern=(
                                            "^(geosite:|full:|domain:|regexp:|keyword:)?\\S+$"))),
                                            "ip": array(text(
                                            pattern="^(geoip:[a-z]+|[0-9a-f.:]+(/[0-9]+)?)$")),
                                            "port": {
                                                "anyOf": [whole(minimum=0), text(
                                                pattern="^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$")
                                                          ]}, "outboundTag": text()},
                                                          "type outboundTag"))})},
        "inbounds outbounds")),
    [one, but(one, "inbounds|0|port", "1000-1010")],
    [but(one, "inbounds|0|settings|ip", "x"), but(one, "outbounds", []), but(one,
        "routing|rules|0|port", "53,"), but(
        one, "inbounds|0|listen", "localhost")])

one = {"mode": "train", "model": {"type": "transformer", "layers": 12, "heads": 8, "dropout": 0.1},
    "optimizer": {"adamw": {
    "lr": 3e-4, "betas": [0.9, 0.999]}}, "schedule": [{"until": 1000, "kind": "warmup"}, {
        "kind": "cosine", "min_lr": 1e-05}],
       "data": {"train": ["a.jsonl"], "batch": {"tokens": 8192}}}
CASES["training_run"] = (
    document(D20, "training", closed({
        "mode": choice("train eval sweep"), "seed": whole(minimum=0, maximum=4294967295), "model": {
        "oneOf": [closed({
            "type": {"const": "transformer"}, "layers": whole(minimum=1, maximum=200),
            "heads": whole(minimum=1), "hidden": whole(
                multipleOf=64, minimum=64), "dropout": ref2("share"), "activation": choice(
                "gelu relu swiglu")},
            "type layers heads"), closed({"type": {"const": "pretrained"}, "path": text(),
            "freeze": array(text(
                format="regex"))}, "type path")]}, "optimizer": {"type": "object",
                "minProperties": 1, "maxProperties": 1,
            "properties": {"adamw": closed({"lr": ref2("rate"), "betas": {"type": "array",
            "prefixItems": [ref2("share"), ref2(
                "share")], "minItems": 2, "items": False}, "weight_decay": number(minimum=0)},
                "lr"), "sgd": closed({
                    "lr": ref2("rate"), "momentum": ref2("share"), "nesterov": flag()}, "lr")},
                    "additionalProperties": False},
        "schedule": array(closed({"kind": choice("warmup constant cosine linear"), "until": whole(
        minimum=1), "min_lr": number(
            minimum=0)}, "kind")), "data": record({"train": texts(minItems=1), "valid": texts(),
            "batch": {"oneOf": [closed({
                k: whole(minimum=1)}, k) for k in ("tokens", "sequences")]}}, "train batch"),
                "precision": choice(
                    "fp32 tf32 bf16 fp16 fp8")}, "mode model"), **{"$defs": {"share": number(
                    minimum=0, exclusiveMaximum=1),
                                                                           "rate": number(
                                                                           exclusiveMinimum=0,
                                                                           maximum=10)}}),
    [one, {"mode": "eval", "model": {"type": "pretrained", "path": "m.bin", "freeze": ["^embed"]}}],
    [but(one, "model|dropout", 1), but(one, "optimizer|sgd", {"lr": 1}), but(one,
        "optimizer|adamw|betas", [0.9]), but(
        one, "data|batch", {"tokens": 1, "sequences": 1}), but(one, "optimizer|adamw|lr", 0)])

one = {"id": "alpine", "name": "Alpine", "base": {"tile": "grass", "height": [0, 2500.5]},
    "spawns": [{"kind": "goat", "chance":
       0.25, "pack": {"min": 2, "max": 5}}], "weather": {"snow": {"from": 1800, "months": [11, 12,
       1, 2]}}, "music": None}
CASES["biome"] = (
    document(None, "biome of a game", {"type": "object", "properties": {
        "id": {"type": "string", "pattern": "^[a-z][a-z0-9_]*$"}, "name": {"anyOf": [text(), table(
        text(), "By language")]},
        "base": {"type": "object", "properties": {"tile": choice("grass sand rock snow water"),
        "height": array(number(),
            minItems=2, maxItems=2), "noise": {"type": "object", "properties": {"octaves": whole(
            minimum=1, maximum=12), "seed": {
                "type": ["integer", "null"]}, "scale": number(exclusiveMinimum=0)}}}, "required": [
                "tile"]}, "spawns": array(
                    record({"kind": text(), "chance": number(minimum=0, maximum=1), "pack": {
                    "oneOf": [whole(minimum=1), closed({
                        "min": whole(minimum=1), "max": whole(minimum=1)}, "min max")]},
                        "time": choice("day night any")},
                        "kind chance")), "weather": {"type": "object", "propertyNames": {"enum": [
                        "snow", "rain", "fog"]},
                                                     "additionalProperties": record({"from": number(
                                                     ), "months": array(whole(
                                                         minimum=1, maximum=12), uniqueItems=True,
                                                         maxItems=12)})},
        "music": {"type": ["string", "null"]}}, "required": ["id", "base"],
        "additionalProperties": False}),
    [one, {"id": "sea", "base": {"tile": "water"}, "name": {"de": "Meer"}}],
    [but(one, "weather|snow|months", [1, 1]), but(one, "weather|hail", {}), but(one,
        "spawns|0|chance", 25), but(
        one, "id", "Alpine"), but(one, "spawns|0|pack", {"min": 1})])
