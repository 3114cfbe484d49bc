/* What picolm.h promises, on a small model: sizes right to the byte, every mistake a status, handles
 * that do not mind each other.
 *
 *     contract MODEL
 */
#define _POSIX_C_SOURCE 200809L
#include "picolm.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int checks;

#define CHECK(condition)                                                                         \
    do {                                                                                         \
        checks++;                                                                                \
        if (!(condition)) {                                                                      \
            fprintf(stderr, "contract: line %d: %s\n", __LINE__, #condition);                    \
            exit(EXIT_FAILURE);                                                                  \
        }                                                                                        \
    } while (0)
#define IS(call, status)                                                                         \
    do {                                                                                         \
        const int32_t got = (call);                                                              \
        if (got != (status)) {                                                                   \
            fprintf(stderr, "%d: %s\n", got, picolm_error_text(got));                            \
        }                                                                                        \
        CHECK(got == (status));                                                                  \
    } while (0)
#define OK(call) IS(call, PICOLM_OK)

enum { GUARD = 4096, PATTERN = 0xA5, CONTEXT = 64 };

static picolm_model model = {.struct_size = sizeof model};
static const char prompt[] = "Once upon a time there was";

static picolm_options small_options(void) {
    picolm_options options;
    OK(picolm_options_default(&options, sizeof options));
    options.context = CONTEXT;
    options.text_bytes = 256;
    return options;
}

/* Memory with a guard before and behind it. */
static uint8_t *guarded(size_t size) {
    const size_t all = GUARD + (size + 63) / 64 * 64 + GUARD;
    uint8_t *const memory = aligned_alloc(PICOLM_ALIGN, all);
    CHECK(memory != NULL);
    memset(memory, PATTERN, all);
    return memory + GUARD;
}

static int is_untouched(const uint8_t *memory, size_t size) {
    for (size_t index = 0; index < GUARD; index++) {
        if (memory[size + index] != PATTERN || memory[-1 - (ptrdiff_t)index] != PATTERN) {
            return 0;
        }
    }
    return 1;
}

static picolm_session *opened(const picolm_options *options, uint8_t **memory) {
    size_t size;
    picolm_session *session;
    OK(picolm_session_size(&model, options, &size, NULL));
    *memory = guarded(size);
    OK(picolm_session_open(&model, options, *memory, size, &session, NULL));
    CHECK((uint8_t *)session == *memory);
    return session;
}

/* A picolm_on_text: gathers text. */
struct text {
    char bytes[4096];
    size_t length;
    int calls, stop_after;
    picolm_session *session;
};
static int32_t gather(void *user, const char *text, size_t length) {
    struct text *const into = user;
    CHECK(into->length + length <= sizeof into->bytes);
    memcpy(into->bytes + into->length, text, length);
    into->length += length;
    into->calls++;
    if (into->session != NULL) {
        /* From within a call the handle is taken. */
        picolm_info info = {.struct_size = sizeof info};
        IS(picolm_session_info(into->session, &info), PICOLM_BUSY);
        IS(picolm_reset(into->session, NULL), PICOLM_BUSY);
        IS(picolm_session_close(into->session), PICOLM_BUSY);
    }
    return into->calls == into->stop_after;
}

static void feed(picolm_session *session) {
    OK(picolm_feed_text(session, prompt, strlen(prompt), PICOLM_TEXT_WHOLE, NULL, NULL));
}

static struct text written(picolm_session *session, uint32_t max_tokens) {
    struct text text = {.length = 0};
    OK(picolm_generate(session, NULL, max_tokens, gather, NULL, &text, NULL));
    return text;
}

static int same(const struct text *left, const struct text *right) {
    return left->length == right->length && memcmp(left->bytes, right->bytes, left->length) == 0;
}

static void sizes_are_right_to_the_byte(void) {
    static const uint32_t kinds[] = {PICOLM_KV_F16, PICOLM_KV_Q8_0, PICOLM_KV_Q4_0};
    for (int index = 0; index < 24; index++) {
        picolm_options options = small_options();
        options.kv_type = kinds[index % 3];
        options.context = 16u << index % 2;
        options.text_bytes = index % 4 < 2 ? 0 : 300;
        options.batch = index % 5 == 0 ? 3 : 0;
        options.repeat_penalty = index % 7 < 3 ? 1.0f : 1.2f;
        size_t size = 0;
        uint64_t detail = 7;
        int32_t status = picolm_session_size(&model, &options, &size, &detail);
        if (status == 211) {
            continue; /* heads that are no whole blocks of this type */
        }
        OK(status);
        CHECK(detail == 0 && size % PICOLM_ALIGN == 0);

        uint8_t *const memory = guarded(size);
        picolm_session *session = NULL;
        for (size_t less = 1; less <= size; less = less * 3 + 5) {
            status = picolm_session_open(&model, &options, memory, size - less, &session, &detail);
            IS(status, PICOLM_NOT_ENOUGH_MEMORY);
            CHECK(session == NULL && detail == size);
        }
        OK(picolm_session_open(&model, &options, memory, size, &session, &detail));
        /* A context of tokens: the last thing taken is their place, and full to its end. */
        uint32_t tokens[64];
        for (uint32_t token = 0; token < 64; token++) {
            tokens[token] = 3 + token;
        }
        uint8_t *const end = memory + size;
        OK(picolm_feed(session, tokens, options.context, NULL, NULL));
        CHECK(memcmp(end - 4, &tokens[options.context - 1], 4) == 0);
        IS(picolm_feed(session, tokens, 1, NULL, NULL), PICOLM_CONTEXT_FULL);
        picolm_generated generated = {.struct_size = sizeof generated};
        OK(picolm_generate(session, NULL, 9, NULL, NULL, NULL, &generated));
        CHECK(generated.tokens <= 1);
        CHECK(is_untouched(memory, size));
        OK(picolm_session_close(session));
        free(memory - GUARD);
    }
}

static int32_t fails(void *user, uint64_t offset, uint8_t *into, size_t length) {
    (void)user, (void)offset, (void)into, (void)length;
    return 5;
}

/* Reads from memory, and counts. */
static uint64_t bytes_read, longest_read;
static int32_t reads(void *user, uint64_t offset, uint8_t *into, size_t length) {
    memcpy(into, (const uint8_t *)user + offset, length);
    bytes_read += length;
    longest_read = length > longest_read ? length : longest_read;
    return 0;
}

static void reading_gives_the_same_bits_as_memory(void) {
    const picolm_options options = small_options();
    uint8_t *memory;
    picolm_session *const mapped = opened(&options, &memory);
    feed(mapped);
    const struct text expected = written(mapped, 20);
    const float *logits;
    size_t count;
    OK(picolm_logits(mapped, &logits, &count));

    const picolm_model whole = model;
    for (uint32_t read_bytes = 1; read_bytes <= 1 << 20; read_bytes *= 32) {
        picolm_options in_pieces = options;
        in_pieces.read_bytes = read_bytes;
        model.read = reads;
        model.user = (void *)(uintptr_t)whole.bytes;
        model.file_bytes = whole.length;
        bytes_read = longest_read = 0;
        uint8_t *more;
        picolm_session *const session = opened(&in_pieces, &more);
        feed(session);
        const struct text text = written(session, 20);
        CHECK(same(&text, &expected));
        const float *others;
        OK(picolm_logits(session, &others, &count));
        CHECK(memcmp(others, logits, count * sizeof *logits) == 0);
        CHECK(bytes_read > whole.length && longest_read > 0);
        OK(picolm_session_close(session));

        /* The header alone is enough in memory, and an error of the reader is the call's. */
        model.length = 100;
        size_t size;
        IS(picolm_session_size(&model, &in_pieces, &size, NULL), PICOLM_HEADER_INCOMPLETE);
        model.length = whole.length;
        model.read = fails;
        OK(picolm_session_size(&model, &in_pieces, &size, NULL));
        picolm_session *none;
        uint64_t detail = 0;
        IS(picolm_session_open(&model, &in_pieces, more, size, &none, &detail), 217);
        CHECK(none == NULL && detail > 0 && detail < whole.length);
        IS(picolm_session_close(session), PICOLM_HANDLE);
        free(more - GUARD);
        model = whole;
    }
    OK(picolm_session_close(mapped));
    free(memory - GUARD);
}

static void mistakes_have_a_status(void) {
    picolm_options options = small_options();
    uint8_t *memory;
    picolm_session *session = opened(&options, &memory), *other;
    size_t size, count;
    uint64_t needed;
    uint32_t tokens[8];
    char text[8];
    const float *logits;
    picolm_constraint *constraint;
    OK(picolm_session_size(&model, &options, &size, NULL));

    IS(picolm_options_default(NULL, sizeof options), PICOLM_NULL);
    IS(picolm_options_default(&options, 3), PICOLM_STRUCT_SIZE);
    IS(picolm_session_size(NULL, &options, &size, NULL), PICOLM_NULL);
    IS(picolm_session_size(&model, &options, NULL, NULL), PICOLM_NULL);
    OK(picolm_session_size(&model, NULL, &count, NULL));
    CHECK(count > size);
    IS(picolm_session_open(&model, &options, NULL, size, &other, NULL), PICOLM_NULL);
    IS(picolm_session_open(&model, &options, memory, size, NULL, NULL), PICOLM_NULL);
    IS(picolm_session_open(&model, &options, memory + 8, size, &other, NULL), PICOLM_MISALIGNED);
    IS(picolm_session_open(&model, &options, memory, SIZE_MAX, &other, NULL), PICOLM_LENGTH);
    IS(picolm_feed(NULL, tokens, 1, NULL, NULL), PICOLM_NULL);
    IS(picolm_feed(session, NULL, 1, NULL, NULL), PICOLM_NULL);
    IS(picolm_feed(session, tokens, SIZE_MAX, NULL, NULL), PICOLM_LENGTH);
    IS(picolm_feed(session, tokens, SIZE_MAX / 4, NULL, NULL), PICOLM_LENGTH);
    IS(picolm_feed(session, (uint32_t *)(text + 1), 1, NULL, NULL), PICOLM_MISALIGNED);
    IS(picolm_feed(session, NULL, 0, NULL, NULL), PICOLM_NO_TOKENS);
    IS(picolm_feed_text(session, NULL, 1, 0, NULL, NULL), PICOLM_NULL);
    IS(picolm_feed_text(session, text, 1, 4, NULL, NULL), PICOLM_VALUE);
    IS(picolm_generate(session, NULL, 9, NULL, NULL, NULL, NULL), PICOLM_NO_TOKENS);
    IS(picolm_generate(NULL, NULL, 9, NULL, NULL, NULL, NULL), PICOLM_NULL);
    IS(picolm_logits(session, &logits, &count), PICOLM_NO_TOKENS);
    IS(picolm_next(session, tokens), PICOLM_NO_TOKENS);
    IS(picolm_tokenize(session, "a", 1, 0, tokens, 8, NULL), PICOLM_NULL);
    IS(picolm_session_info(session, NULL), PICOLM_NULL);
    tokens[0] = UINT32_MAX;
    IS(picolm_feed(session, tokens, 1, NULL, NULL), 703);
    picolm_info info = {.struct_size = sizeof info};
    OK(picolm_session_info(session, &info));
    CHECK(info.detail == UINT32_MAX && info.position == 0 && info.context == CONTEXT);
    info.struct_size = sizeof(size_t) - 1;
    IS(picolm_session_info(session, &info), PICOLM_STRUCT_SIZE);
    IS(picolm_constraint_open(session, 9, "", 0, memory, 0, &needed, &constraint), PICOLM_VALUE);
    IS(picolm_constraint_open(session, PICOLM_GBNF, "root ::= other", 14,
                              aligned_alloc(64, 1 << 20), 1 << 20, &needed, &constraint),
       504);
    CHECK(needed == 9 && constraint == NULL);
    feed(session);
    IS(picolm_next(session, NULL), PICOLM_NULL);

    /* A copy elsewhere is no session, and neither are other bytes. */
    uint8_t *const copy = guarded(size);
    memcpy(copy, memory, size);
    IS(picolm_reset((picolm_session *)(void *)copy, NULL), PICOLM_HANDLE);
    IS(picolm_reset((picolm_session *)(void *)(copy + 64), NULL), PICOLM_HANDLE);
    IS(picolm_reset((picolm_session *)(void *)(copy + 4), NULL), PICOLM_MISALIGNED);
    IS(picolm_generate(session, (picolm_constraint *)(void *)memory, 9, NULL, NULL, NULL, NULL),
       PICOLM_HANDLE);
    OK(picolm_session_close(session));
    IS(picolm_session_close(session), PICOLM_HANDLE);
    IS(picolm_feed(session, tokens, 1, NULL, NULL), PICOLM_HANDLE);

    /* Bad options and models. */
    struct {
        int32_t status;
        picolm_options options;
    } bad[] = {
        {PICOLM_VALUE, small_options()}, {PICOLM_VALUE, small_options()},
        {210, small_options()},          {214, small_options()},
        {PICOLM_STRUCT_SIZE, small_options()},
    };
    bad[0].options.kv_type = 3;
    bad[1].options.cpu = 1u << 31;
    bad[2].options.context = 1u << 30;
    bad[3].options.batch = 5000;
    bad[4].options.struct_size = 0;
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++) {
        IS(picolm_session_size(&model, &bad[index].options, &size, NULL), bad[index].status);
    }
    picolm_options cold = small_options();
    cold.temperature = -1;
    IS(picolm_session_open(&model, &cold, memory, size, &session, NULL), 601);
    picolm_model none = model;
    none.bytes = (const uint8_t *)"What is this? No model, that much is certain.";
    none.length = 40;
    IS(picolm_session_size(&none, NULL, &size, &needed), 100);
    none.length = 3;
    IS(picolm_session_size(&none, NULL, &size, &needed), 105);
    none.length = 0;
    IS(picolm_session_size(&none, NULL, &size, &needed), 105);
    none.bytes = NULL;
    IS(picolm_session_size(&none, NULL, &size, &needed), PICOLM_NULL);
    for (int32_t status = -5; status < 2000; status++) {
        CHECK(picolm_error_text(status)[0] != 0);
    }
    free(copy - GUARD);
    free(memory - GUARD);
}

/* Where `name` ends in the model, counted from its beginning; 0 if it is not there. */
static size_t behind(const char *name) {
    const size_t length = strlen(name);
    for (size_t at = 0; at + length <= model.length; at++) {
        if (memcmp(model.bytes + at, name, length) == 0) {
            return at + length;
        }
    }
    return 0;
}

/* What is not supported is named, beside what is. */
static void a_refusal_says_what_is_missing(void) {
    /* Behind a key are its type and its value's length, behind a norm's name its dimensions. */
    static const struct {
        const char *behind;
        size_t skipped;
        uint8_t byte;
        int32_t status;
        const char *says[2];
    } wrong[] = {
        {"general.architecture", 4 + 8, '#', PICOLM_ARCHITECTURE, {"'#", ", llama, "}},
        {"tokenizer.ggml.model", 4 + 8, '#', PICOLM_TOKENIZER_MODEL, {"'#", "supported are llama"}},
        {"tokenizer.ggml.pre", 4 + 8, '#', PICOLM_PRE_TOKENIZER, {"'#", ", llama-bpe, "}},
        {"output_norm.weight", 4 + 8, 26, PICOLM_UNSUPPORTED_TYPE, {"I32", ", Q4_0, "}},
        {"output_norm.weight", 4 + 8, 99, 124, {"('output_norm.weight'): number 99", ", Q4_0, "}},
    };
    picolm_options options = small_options();
    size_t size, length = 7;
    IS(picolm_session_size(&model, &options, &size, NULL), PICOLM_OK);
    OK(picolm_explain(&model, &options, NULL, 0, &length));
    CHECK(length == 0);
    IS(picolm_explain(&model, &options, NULL, 0, NULL), PICOLM_NULL);
    IS(picolm_explain(NULL, &options, NULL, 0, &length), PICOLM_NULL);
    options.vectors = 3;
    IS(picolm_explain(&model, &options, NULL, 0, &length), PICOLM_VALUE);
    options.vectors = PICOLM_VECTORS_NONE;

    uint8_t *const copy = malloc(model.length);
    CHECK(copy != NULL);
    picolm_model other = model;
    other.bytes = copy;
    for (size_t index = 0; index < sizeof wrong / sizeof *wrong; index++) {
        const size_t at = behind(wrong[index].behind);
        /* SentencePiece has no pre-tokenizer. */
        if (at == 0 || (index == 2 && memcmp(model.bytes + behind("tokenizer.ggml.model") + 12,
                                             "gpt2", 4) != 0)) {
            continue;
        }
        memcpy(copy, model.bytes, model.length);
        copy[at + wrong[index].skipped] = wrong[index].byte;
        IS(picolm_session_size(&other, &options, &size, NULL), wrong[index].status);
        char line[2048];
        memset(line, '~', sizeof line);
        IS(picolm_explain(&other, &options, line, 20, &length), PICOLM_TOO_SMALL);
        CHECK(length > 20 && length < sizeof line && line[19] != '~' && line[20] == '~');
        const size_t all = length;
        OK(picolm_explain(&other, &options, line, all, &length));
        CHECK(length == all && line[all] == '~');
        line[all] = 0;
        for (size_t said = 0; said < 2; said++) {
            if (strstr(line, wrong[index].says[said]) == NULL) {
                fprintf(stderr, "contract: no %s: %s\n", wrong[index].says[said], line);
            }
            CHECK(strstr(line, wrong[index].says[said]) != NULL);
        }
    }
    free(copy);
}

/* A struct of an older program, and one of a newer. */
static void structs_may_grow(void) {
    struct {
        picolm_options options;
        uint64_t more;
    } newer;
    size_t size, old_size;
    OK(picolm_options_default(&newer.options, sizeof newer));
    CHECK(newer.options.struct_size == sizeof newer && newer.more == 0);
    OK(picolm_session_size(&model, &newer.options, &size, NULL));
    newer.more = 1;
    IS(picolm_session_size(&model, &newer.options, &size, NULL), PICOLM_STRUCT_SIZE);

    picolm_options older;
    memset(&older, PATTERN, sizeof older);
    OK(picolm_options_default(&older, offsetof(picolm_options, batch)));
    CHECK(older.batch != 0 && older.context == 0);
    OK(picolm_session_size(&model, &older, &old_size, NULL));
    CHECK(old_size == size);
}

static void texts_and_tokens_are_each_others(void) {
    const picolm_options options = small_options();
    uint8_t *memory;
    picolm_session *const session = opened(&options, &memory);
    uint32_t tokens[64];
    size_t count, length;
    char text[64];
    IS(picolm_tokenize(session, prompt, strlen(prompt), 0, NULL, 0, &count), PICOLM_TOO_SMALL);
    CHECK(count > 3 && count <= 64);
    const size_t all = count;
    tokens[all - 1] = 77777;
    IS(picolm_tokenize(session, prompt, strlen(prompt), 0, tokens, all - 1, &count),
       PICOLM_TOO_SMALL);
    CHECK(count == all && tokens[all - 1] == 77777);
    OK(picolm_tokenize(session, prompt, strlen(prompt), 0, tokens, 64, &count));
    CHECK(count == all);
    struct text joined = {.length = 0};
    for (size_t index = 0; index < all; index++) {
        IS(picolm_token_text(session, tokens[index], NULL, 0, &length), PICOLM_TOO_SMALL);
        OK(picolm_token_text(session, tokens[index], text, sizeof text, &length));
        gather(&joined, text, length);
    }
    /* SentencePiece puts a space before a text. */
    const size_t added = joined.length - strlen(prompt);
    CHECK(added <= 1 && memcmp(joined.bytes + added, prompt, strlen(prompt)) == 0);

    /* Fed as tokens or as text, written in one call or several or by a loop: the same text. */
    OK(picolm_tokenize(session, prompt, strlen(prompt), PICOLM_TEXT_WHOLE, tokens, 64, &count));
    OK(picolm_feed(session, tokens, count, NULL, NULL));
    const struct text expected = written(session, 20);
    CHECK(expected.length > 0);
    OK(picolm_reset(session, NULL));
    feed(session);
    struct text parts = written(session, 7);
    const struct text rest = written(session, 13);
    gather(&parts, rest.bytes, rest.length);
    CHECK(same(&parts, &expected));

    OK(picolm_reset(session, NULL));
    OK(picolm_feed(session, tokens, 2, NULL, NULL));
    OK(picolm_feed(session, tokens + 2, count - 2, NULL, NULL));
    struct text looped = {.length = 0};
    for (int index = 0; index < 20; index++) {
        uint32_t token;
        const int32_t status = picolm_next(session, &token);
        if (status == PICOLM_END) {
            break;
        }
        OK(status);
        OK(picolm_token_text(session, token, text, sizeof text, &length));
        gather(&looped, text, length);
    }
    CHECK(same(&looped, &expected));

    /* The prompt stays, the answer is another one: with another seed. */
    picolm_info info = {.struct_size = sizeof info};
    OK(picolm_rewind(session, (uint32_t)count));
    OK(picolm_session_info(session, &info));
    CHECK(info.position == count);
    IS(picolm_next(session, tokens), PICOLM_NO_TOKENS);
    const uint64_t seed = 43;
    OK(picolm_reset(session, &seed));
    feed(session);
    const struct text other = written(session, 20);
    CHECK(!same(&other, &expected));
    OK(picolm_reset(session, NULL));
    feed(session);
    const struct text again = written(session, 20);
    CHECK(same(&again, &expected));
    OK(picolm_session_close(session));
    free(memory - GUARD);
}

/* A picolm_on_progress: stops after the first pass. */
static int32_t once(void *user, size_t done, size_t total) {
    CHECK(done <= total);
    return ++*(int *)user == 1;
}

/* A picolm_on_progress: counts tokens, stops after some. */
struct tokens {
    size_t done, total, stop_after;
};
static int32_t count_tokens(void *user, size_t done, size_t total) {
    struct tokens *const tokens = user;
    CHECK(done == tokens->done + 1);
    tokens->done = done;
    tokens->total = total;
    return done == tokens->stop_after;
}
static int32_t last_of(void *user, size_t done, size_t total) {
    ((size_t *)user)[0] = done;
    ((size_t *)user)[1] = total;
    return 0;
}

static void callbacks_can_stop(void) {
    picolm_options options = small_options();
    options.batch = 4;
    uint8_t *memory;
    picolm_session *const session = opened(&options, &memory);
    uint32_t tokens[12] = {1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    int calls = 0;
    picolm_info info = {.struct_size = sizeof info};
    IS(picolm_feed(session, tokens, 12, once, &calls), PICOLM_STOPPED);
    OK(picolm_session_info(session, &info));
    CHECK(calls == 1 && info.position == 4);
    OK(picolm_feed(session, tokens + 4, 8, once, &calls));
    OK(picolm_session_info(session, &info));
    CHECK(calls == 3 && info.position == 12);

    struct text text = {.stop_after = 3, .session = session};
    picolm_generated generated = {.struct_size = sizeof generated};
    OK(picolm_generate(session, NULL, 30, gather, NULL, &text, &generated));
    CHECK(text.calls == 3 && generated.stop == PICOLM_STOP_CALLBACK && generated.tokens >= 3);

    /* One token of the text is not evaluated: it does not count as fed. */
    size_t fed[2] = {0, 0};
    OK(picolm_feed(session, tokens + 4, 2, last_of, fed));
    CHECK(fed[0] == 2 && fed[1] == 2);
    /* Every token is told, whether it has text or not. */
    struct tokens written = {.stop_after = 0};
    OK(picolm_generate(session, NULL, 6, NULL, count_tokens, &written, &generated));
    CHECK(written.done == generated.tokens && written.total == 6);
    if (generated.tokens > 2) {
        OK(picolm_session_info(session, &info));
        OK(picolm_rewind(session, info.position - 5));
        OK(picolm_feed(session, tokens, 1, NULL, NULL));
        written = (struct tokens){.stop_after = 2};
        OK(picolm_generate(session, NULL, 6, NULL, count_tokens, &written, &generated));
        CHECK(written.done == generated.tokens && generated.tokens <= 2);
        CHECK(generated.tokens < 2 || generated.stop == PICOLM_STOP_CALLBACK);
    }
    OK(picolm_session_info(session, &info));
    IS(picolm_rewind(session, info.position + 1), PICOLM_VALUE);
    OK(picolm_rewind(session, info.position));
    OK(picolm_session_close(session));
    free(memory - GUARD);
}

/* A text by other options than the session's is the text of a session that has them. */
static void sampling_can_change(void) {
    picolm_options random = small_options(), greedy = small_options();
    random.repeat_penalty = 1.3f;
    random.temperature = 1.5f;
    greedy.temperature = 0;
    uint8_t *memory, *other_memory;
    picolm_session *const session = opened(&random, &memory);
    picolm_session *const other = opened(&greedy, &other_memory);
    feed(other);
    const struct text expected = written(other, 20);
    feed(session);
    const struct text drawn = written(session, 20);
    OK(picolm_reset(session, NULL));
    OK(picolm_sampling(session, &greedy));
    feed(session);
    const struct text likeliest = written(session, 20);
    CHECK(same(&expected, &likeliest) && !same(&expected, &drawn));
    OK(picolm_sampling(session, &random));
    OK(picolm_reset(session, NULL));
    feed(session);
    const struct text again = written(session, 20);
    CHECK(same(&drawn, &again));
    IS(picolm_sampling(other, &random), PICOLM_VALUE);
    IS(picolm_sampling(session, NULL), PICOLM_NULL);
    greedy.top_p = 0;
    IS(picolm_sampling(session, &greedy), 602);
    OK(picolm_session_close(session));
    OK(picolm_session_close(other));
    free(memory - GUARD);
    free(other_memory - GUARD);
}

/* The detail of PICOLM_SCRATCH is the `text_bytes` that will do. */
static void a_long_text_says_what_it_takes(void) {
    picolm_options options = small_options();
    options.text_bytes = 4;
    char text[40];
    memset(text, 'a', sizeof text);
    picolm_info info = {.struct_size = sizeof info};
    int32_t status = PICOLM_SCRATCH;
    for (int round = 0; status != PICOLM_OK; round++) {
        uint8_t *memory;
        CHECK(round < 2);
        picolm_session *const session = opened(&options, &memory);
        status = picolm_feed_text(session, text, sizeof text, 0, NULL, NULL);
        CHECK(status == PICOLM_OK || status == PICOLM_SCRATCH);
        CHECK(round > 0 || status == PICOLM_SCRATCH);
        OK(picolm_session_info(session, &info));
        CHECK(status == PICOLM_OK || (info.detail > 4 && info.detail <= sizeof text));
        if (status != PICOLM_OK) {
            options.text_bytes = (uint32_t)info.detail;
        }
        OK(picolm_session_close(session));
        free(memory - GUARD);
    }
}

/* Closing while others call: while a call goes on nobody can close the session, and once it is
 * closed no call begins. */
static int closed;
static int32_t is_open(void *user, size_t done, size_t total) {
    (void)user;
    CHECK(done <= total && !__atomic_load_n(&closed, __ATOMIC_SEQ_CST));
    return 0;
}
static void *caller(void *user) {
    const uint32_t token = 5;
    for (int32_t status = PICOLM_OK; status != PICOLM_HANDLE;) {
        status = picolm_feed(user, &token, 1, is_open, NULL);
        if (status == PICOLM_CONTEXT_FULL) {
            picolm_reset(user, NULL);
        }
        /* Leaves the one who closes a chance. */
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
    }
    return NULL;
}
static void closing_is_seen_by_all(void) {
    picolm_options options = small_options();
    for (int round = 0; round < 20; round++) {
        uint8_t *memory;
        picolm_session *const session = opened(&options, &memory);
        pthread_t threads[2];
        __atomic_store_n(&closed, 0, __ATOMIC_SEQ_CST);
        for (int index = 0; index < 2; index++) {
            CHECK(pthread_create(&threads[index], NULL, caller, session) == 0);
        }
        int32_t status;
        while ((status = picolm_session_close(session)) == PICOLM_BUSY) {
        }
        CHECK(status == PICOLM_OK);
        __atomic_store_n(&closed, 1, __ATOMIC_SEQ_CST);
        for (int index = 0; index < 2; index++) {
            pthread_join(threads[index], NULL);
        }
        free(memory - GUARD);
    }
}

/* Opens a constraint by asking until there is enough memory, and then in no byte more. */
static picolm_constraint *constrained(picolm_session *session, uint32_t kind, const char *source,
                                      uint8_t **memory, uint64_t *size) {
    picolm_constraint *constraint = NULL;
    int32_t status;
    int tries = 0;
    *memory = NULL;
    *size = 0;
    uint64_t needed = 0;
    while ((status = picolm_constraint_open(session, kind, source, strlen(source), *memory,
                                            (size_t)*size, &needed, &constraint)) ==
           PICOLM_GRAMMAR_MEMORY) {
        CHECK(needed > *size && constraint == NULL && ++tries < 20);
        if (*memory != NULL) {
            CHECK(is_untouched(*memory, (size_t)*size));
            free(*memory - GUARD);
        }
        *size = needed;
        *memory = guarded((size_t)*size);
    }
    OK(status);
    CHECK((uint8_t *)constraint == *memory && needed == 0);
    return constraint;
}

static void texts_keep_to_their_constraint(void) {
    static const struct {
        uint32_t kind;
        const char *source, *begins;
    } wanted[] = {
        {PICOLM_JSON, "", ""},
        {PICOLM_JSON_SCHEMA, "{\"enum\":[\"yes\",\"no\"]}", "\""},
        {PICOLM_GBNF, "root ::= \"[\" [0-9]{3} \"]\"", "["},
    };
    picolm_options options = small_options();
    options.temperature = 2;
    uint8_t *memory, *own;
    picolm_session *const session = opened(&options, &memory);
    for (size_t index = 0; index < 3; index++) {
        uint64_t size;
        picolm_constraint *const constraint =
            constrained(session, wanted[index].kind, wanted[index].source, &own, &size);
        for (uint64_t seed = 0; seed < 20; seed++) {
            struct text text = {.length = 0};
            picolm_generated generated = {.struct_size = sizeof generated};
            OK(picolm_reset(session, &seed));
            feed(session);
            OK(picolm_generate(session, constraint, 24, gather, NULL, &text, &generated));
            CHECK(generated.stop == PICOLM_STOP_COMPLETE || generated.stop == PICOLM_STOP_END);
            CHECK(generated.tokens <= 24 && text.length >= 2);
            CHECK(memcmp(text.bytes, wanted[index].begins, strlen(wanted[index].begins)) == 0);
            const char last = text.bytes[text.length - 1];
            CHECK(strchr(wanted[index].kind == PICOLM_JSON ? "]}" : "]\"", last) != NULL);
            CHECK(wanted[index].kind != PICOLM_GBNF || text.length == 5);
        }
        OK(picolm_reset(session, NULL));
        feed(session);
        IS(picolm_generate(session, constraint, 1, NULL, NULL, NULL, NULL), PICOLM_BUDGET_TOO_SMALL);
        picolm_info info = {.struct_size = sizeof info};
        OK(picolm_session_info(session, &info));
        CHECK(info.detail > 1 && info.detail < 10);
        CHECK(is_untouched(own, (size_t)size));
        OK(picolm_constraint_close(constraint));
        IS(picolm_constraint_close(constraint), PICOLM_HANDLE);
        IS(picolm_generate(session, constraint, 24, NULL, NULL, NULL, NULL), PICOLM_HANDLE);
        free(own - GUARD);
    }
    OK(picolm_session_close(session));
    free(memory - GUARD);
}

/* One thread's session. */
static void *thread(void *user) {
    const picolm_options options = small_options();
    uint8_t *memory;
    picolm_session *const session = opened(&options, &memory);
    struct text *const text = user;
    for (int round = 0; round < 5; round++) {
        OK(picolm_reset(session, NULL));
        feed(session);
        *text = written(session, 20);
    }
    OK(picolm_session_close(session));
    free(memory - GUARD);
    return NULL;
}

static void sessions_do_not_mind_each_other(void) {
    enum { THREADS = 4 };
    static struct text texts[THREADS];
    pthread_t threads[THREADS];
    for (int index = 0; index < THREADS; index++) {
        CHECK(pthread_create(&threads[index], NULL, thread, &texts[index]) == 0);
    }
    for (int index = 0; index < THREADS; index++) {
        CHECK(pthread_join(threads[index], NULL) == 0);
        CHECK(texts[index].length > 0 && same(&texts[index], &texts[0]));
    }
}

/* A vector is the same bits however its text comes, and a session does one thing. */
static void a_text_has_a_vector(void) {
    picolm_options options = small_options();
    size_t size, length = 7;
    float vector[1024], other[1024];
    uint32_t tokens[CONTEXT + 1];
    uint8_t *memory, *reading_memory;
    options.vectors = PICOLM_VECTORS_NORMALIZED + 1;
    IS(picolm_session_size(&model, &options, &size, NULL), PICOLM_VALUE);
    options.vectors = PICOLM_VECTORS_RAW;
    const int32_t status = picolm_session_size(&model, &options, &size, NULL);
    if (status == PICOLM_NO_POOLING) {
        options.vectors = PICOLM_VECTORS_NONE;
        picolm_session *const writes = opened(&options, &memory);
        picolm_info info = {.struct_size = sizeof info};
        feed(writes);
        IS(picolm_embed_text(writes, prompt, strlen(prompt), 0, vector, 1024, &length),
           PICOLM_NO_VECTORS);
        OK(picolm_session_info(writes, &info));
        CHECK(length == 0 && info.vector_length == 0 && info.position > 3);
        CHECK(written(writes, 5).length > 0);
        OK(picolm_session_close(writes));
        free(memory - GUARD);
        return;
    }
    OK(status);
    picolm_session *const session = opened(&options, &memory);
    picolm_info info = {.struct_size = sizeof info};
    OK(picolm_session_info(session, &info));
    const size_t all = info.vector_length;
    CHECK(all > 1 && all <= 1024 && info.context == CONTEXT);

    /* The length is told before anything is evaluated. */
    for (size_t index = 0; index < 1024; index++) {
        vector[index] = 77;
    }
    IS(picolm_embed_text(session, prompt, strlen(prompt), PICOLM_TEXT_WHOLE, NULL, 0, &length),
       PICOLM_TOO_SMALL);
    CHECK(length == all);
    IS(picolm_embed_text(session, prompt, strlen(prompt), 0, vector, all - 1, &length),
       PICOLM_TOO_SMALL);
    OK(picolm_session_info(session, &info));
    CHECK(length == all && info.position == 0 && vector[0] == 77);
    OK(picolm_embed_text(session, prompt, strlen(prompt), PICOLM_TEXT_WHOLE, vector, 1024,
                         &length));
    CHECK(length == all && vector[0] != 77 && vector[all] == 77);

    /* As tokens, after another text, by a session that reads the file. */
    size_t count;
    OK(picolm_tokenize(session, prompt, strlen(prompt), PICOLM_TEXT_WHOLE, tokens, CONTEXT, &count));
    OK(picolm_embed(session, tokens + 1, 2, other, all, &length));
    CHECK(memcmp(vector, other, all * sizeof *vector) != 0);
    OK(picolm_embed(session, tokens, count, other, all, &length));
    CHECK(memcmp(vector, other, all * sizeof *vector) == 0);
    OK(picolm_session_info(session, &info));
    CHECK(info.position == count);
    const picolm_model whole = model;
    model.read = reads;
    model.user = (void *)(uintptr_t)whole.bytes;
    model.file_bytes = whole.length;
    options.vectors = PICOLM_VECTORS_NORMALIZED;
    options.read_bytes = 1000;
    picolm_session *const reading = opened(&options, &reading_memory);
    OK(picolm_embed(reading, tokens, count, other, all, &length));
    OK(picolm_session_close(reading));
    free(reading_memory - GUARD);
    model = whole;
    float squares = 0, dot = 0, raw_squares = 0;
    for (size_t index = 0; index < all; index++) {
        squares += other[index] * other[index];
        raw_squares += vector[index] * vector[index];
        dot += vector[index] * other[index];
    }
    CHECK(squares > 0.999f && squares < 1.001f);
    CHECK(dot * dot > 0.999f * raw_squares && dot * dot < 1.001f * raw_squares);

    /* What is wrong has a status, and none changes the next vector. */
    for (size_t index = 0; index <= CONTEXT; index++) {
        tokens[index] = tokens[index % count];
    }
    OK(picolm_embed(session, tokens, CONTEXT, other, all, &length));
    IS(picolm_embed(session, tokens, CONTEXT + 1, other, all, &length), PICOLM_CONTEXT_FULL);
    OK(picolm_session_info(session, &info));
    CHECK(info.detail == CONTEXT + 1);
    char long_text[600];
    memset(long_text, ' ', sizeof long_text);
    for (size_t index = 0; index < sizeof long_text; index += 4) {
        long_text[index] = 'q';
    }
    const int32_t too_long =
        picolm_embed_text(session, long_text, sizeof long_text, 0, other, all, &length);
    CHECK(too_long == PICOLM_CONTEXT_FULL || too_long == PICOLM_SCRATCH);
    IS(picolm_embed(session, NULL, 0, other, all, &length), PICOLM_NO_TOKENS);
    IS(picolm_embed(session, NULL, 1, other, all, &length), PICOLM_NULL);
    IS(picolm_embed(session, tokens, count, NULL, all, &length), PICOLM_NULL);
    IS(picolm_embed(session, tokens, count, other, all, NULL), PICOLM_NULL);
    IS(picolm_embed(session, tokens, count, (float *)(void *)((char *)other + 1), 1022, &length),
       PICOLM_MISALIGNED);
    IS(picolm_embed(session, tokens, count, other, SIZE_MAX, &length), PICOLM_LENGTH);
    IS(picolm_embed_text(session, prompt, 3, 4, other, all, &length), PICOLM_VALUE);
    IS(picolm_embed_text(NULL, prompt, 3, 0, other, all, &length), PICOLM_NULL);
    tokens[1] = UINT32_MAX;
    IS(picolm_embed(session, tokens, count, other, all, &length), 703);
    IS(picolm_feed(session, tokens, 1, NULL, NULL), PICOLM_ONLY_VECTORS);
    IS(picolm_generate(session, NULL, 3, NULL, NULL, NULL, NULL), PICOLM_ONLY_VECTORS);
    IS(picolm_next(session, tokens), PICOLM_ONLY_VECTORS);
    const float *logits;
    IS(picolm_logits(session, &logits, &count), PICOLM_ONLY_VECTORS);
    OK(picolm_embed_text(session, prompt, strlen(prompt), PICOLM_TEXT_WHOLE, other, all, &length));
    CHECK(memcmp(vector, other, all * sizeof *vector) == 0);
    CHECK(is_untouched(memory, size));
    OK(picolm_session_close(session));
    free(memory - GUARD);
}

int main(int count, char **arguments) {
    FILE *const file = count == 2 ? fopen(arguments[1], "rb") : NULL;
    CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
    const long length = ftell(file);
    uint8_t *const bytes = malloc((size_t)length);
    rewind(file);
    CHECK(bytes != NULL && fread(bytes, 1, (size_t)length, file) == (size_t)length);
    fclose(file);
    model.bytes = bytes;
    model.length = (size_t)length;

    a_text_has_a_vector();
    const picolm_options options = small_options();
    size_t size;
    if (picolm_session_size(&model, &options, &size, NULL) == PICOLM_NOT_CAUSAL) {
        free(bytes);
        printf("picolm %s: %d checks passed: only vectors\n", picolm_version(), checks);
        return EXIT_SUCCESS;
    }
    sizes_are_right_to_the_byte();
    reading_gives_the_same_bits_as_memory();
    mistakes_have_a_status();
    a_refusal_says_what_is_missing();
    structs_may_grow();
    texts_and_tokens_are_each_others();
    callbacks_can_stop();
    sampling_can_change();
    a_long_text_says_what_it_takes();
    closing_is_seen_by_all();
    texts_keep_to_their_constraint();
    sessions_do_not_mind_each_other();
    free(bytes);
    printf("picolm %s: %d checks passed\n", picolm_version(), checks);
    return EXIT_SUCCESS;
}
