/* Asks a model something, on a system with files: the model is mapped, or read piece by piece.
 *
 *     hosted MODEL PROMPT [MAX_TOKENS [CONTEXT]] [--read] [--json]
 *
 * Standard output is the answer; standard error says what it took, and a hash of the scores after
 * the prompt, which is the same on every machine.
 */
#define _POSIX_C_SOURCE 200809L
#include "picolm.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const char *what, int32_t status, uint64_t detail) {
    fprintf(stderr, "hosted: %s: %s (%llu)\n", what, picolm_error_text(status),
            (unsigned long long)detail);
    return EXIT_FAILURE;
}

/* A picolm_read: `user` is the file's descriptor. */
static int32_t read_file(void *user, uint64_t offset, uint8_t *into, size_t length) {
    const int file = *(const int *)user;
    while (length > 0) {
        const ssize_t got = pread(file, into, length, (off_t)offset);
        if (got <= 0) {
            return -1;
        }
        into += got;
        offset += (uint64_t)got;
        length -= (size_t)got;
    }
    return 0;
}

/* A picolm_on_text: writes each piece as soon as it is there. */
static int32_t show(void *user, const char *text, size_t length) {
    FILE *const out = user;
    return fwrite(text, 1, length, out) != length || fflush(out) != 0;
}

static void *memory_of(size_t size) {
    /* aligned_alloc wants a multiple of the alignment. */
    return aligned_alloc(PICOLM_ALIGN, (size + PICOLM_ALIGN - 1) / PICOLM_ALIGN * PICOLM_ALIGN);
}

/* FNV-1a of the scores' bits, the lowest byte first. */
static uint64_t hash_of(const float *logits, size_t count) {
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t index = 0; index < count; index++) {
        uint32_t bits;
        memcpy(&bits, &logits[index], sizeof bits);
        for (int byte = 0; byte < 4; byte++, bits >>= 8) {
            hash = (hash ^ (bits & 0xFF)) * 0x100000001b3;
        }
    }
    return hash;
}

/* A constraint on the session's texts, in memory that grows until it is enough. */
static int32_t any_json(picolm_session *session, picolm_constraint **constraint) {
    void *memory = NULL;
    uint64_t size = 0, needed = 0;
    int32_t status;
    while ((status = picolm_constraint_open(session, PICOLM_JSON, NULL, 0, memory, (size_t)size,
                                            &needed, constraint)) == PICOLM_GRAMMAR_MEMORY) {
        free(memory);
        size = needed;
        memory = size <= SIZE_MAX / 2 ? memory_of((size_t)size) : NULL;
        if (memory == NULL) {
            return PICOLM_GRAMMAR_MEMORY;
        }
    }
    return status;
}

static int answer(picolm_session *session, const char *prompt, uint32_t max_tokens, int json) {
    picolm_constraint *constraint = NULL;
    picolm_generated generated = {.struct_size = sizeof generated};
    picolm_info info = {.struct_size = sizeof info};
    const float *logits;
    size_t count;

    int32_t status = json ? any_json(session, &constraint) : PICOLM_OK;
    if (status == PICOLM_OK) {
        status = picolm_feed_text(session, prompt, strlen(prompt),
                                  PICOLM_TEXT_WHOLE | PICOLM_TEXT_SPECIAL, NULL, NULL);
    }
    if (status == PICOLM_OK) {
        status = picolm_logits(session, &logits, &count);
    }
    if (status == PICOLM_OK) {
        const uint64_t hash = hash_of(logits, count);
        fprintf(stderr, "logits: %016llx\n", (unsigned long long)hash);
        status = picolm_generate(session, constraint, max_tokens, show, stdout, &generated);
    }
    picolm_session_info(session, &info);
    if (status != PICOLM_OK) {
        return fail("answer", status, info.detail);
    }
    fprintf(stderr, "tokens: %u, stopped by %u, position %u of %u\n", generated.tokens,
            generated.stop, info.position, info.context);
    return EXIT_SUCCESS;
}

int main(int count, char **arguments) {
    if (count < 3) {
        fprintf(stderr, "usage: hosted MODEL PROMPT [MAX_TOKENS [CONTEXT]] [--read] [--json]\n");
        return 2;
    }
    uint32_t numbers[2] = {256, 0}; /* tokens at most, context */
    int reads = 0, json = 0, given = 0;
    for (int index = 3; index < count; index++) {
        if (strcmp(arguments[index], "--read") == 0) {
            reads = 1;
        } else if (strcmp(arguments[index], "--json") == 0) {
            json = 1;
        } else if (given < 2) {
            numbers[given++] = (uint32_t)strtoul(arguments[index], NULL, 10);
        }
    }

    int file = open(arguments[1], O_RDONLY);
    struct stat about;
    if (file < 0 || fstat(file, &about) != 0) {
        perror(arguments[1]);
        return EXIT_FAILURE;
    }
    const size_t file_bytes = (size_t)about.st_size;
    picolm_model model = {.struct_size = sizeof model};
    picolm_options options;
    picolm_options_default(&options, sizeof options);
    options.temperature = 0;
    options.context = numbers[1];
    size_t size = 0;
    uint64_t detail = 0;
    int32_t status;

    /* Mapped, the file is in memory as far as anyone can tell. */
    uint8_t *const mapped = mmap(NULL, file_bytes, PROT_READ, MAP_PRIVATE, file, 0);
    if (mapped == MAP_FAILED) {
        perror(arguments[1]);
        return EXIT_FAILURE;
    }
    if (reads) {
        /* As where nothing can be mapped: the header in memory, as much of it as it takes, and all
         * else read when it is wanted. */
        model.read = read_file;
        model.user = &file;
        model.file_bytes = (uint64_t)file_bytes;
        uint8_t *header = NULL;
        for (size_t length = 1 << 16;; length *= 2) {
            length = length < file_bytes ? length : file_bytes;
            header = realloc(header, length);
            if (header == NULL || read_file(&file, 0, header, length) != 0) {
                fprintf(stderr, "hosted: %s: cannot be read\n", arguments[1]);
                return EXIT_FAILURE;
            }
            model.bytes = header;
            model.length = length;
            status = picolm_session_size(&model, &options, &size, &detail);
            if (status != PICOLM_HEADER_INCOMPLETE || length == file_bytes) {
                break;
            }
        }
    } else {
        model.bytes = mapped;
        model.length = file_bytes;
        status = picolm_session_size(&model, &options, &size, &detail);
    }
    if (status != PICOLM_OK) {
        return fail(arguments[1], status, detail);
    }

    void *const memory = memory_of(size);
    picolm_session *session;
    if (memory == NULL) {
        fprintf(stderr, "hosted: no %zu bytes of memory\n", size);
        return EXIT_FAILURE;
    }
    status = picolm_session_open(&model, &options, memory, size, &session, &detail);
    if (status != PICOLM_OK) {
        return fail(arguments[1], status, detail);
    }
    fprintf(stderr, "memory: %zu bytes\n", size);
    const int result = answer(session, arguments[2], numbers[0], json);
    picolm_session_close(session);
    free(memory);
    return result;
}
