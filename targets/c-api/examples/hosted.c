/* Asks a model something, on a system with files: the model is mapped, or read piece by piece.
 *
 *     hosted MODEL PROMPT [MAX_TOKENS [CONTEXT]] [--read] [--json] [--template] [--embed]
 *
 * With --embed the answer is the prompt's vector, as floats of this machine.
 * With --template the prompt is a template's text, in which the names of special tokens count: never
 * a text that a user wrote.
 * Standard output is the answer; standard error says what it took, and a hash of the scores after
 * the prompt, which is the same on every machine.
 */
#define _POSIX_C_SOURCE 200809L
/* Files beyond 2 GB, also where addresses have 32 bits. */
#define _FILE_OFFSET_BITS 64
#include "picolm.h"
#include <errno.h>
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

/* In full what is wrong with a model. */
static int refuse(const char *path, const picolm_model *model, const picolm_options *options,
                  int32_t status, uint64_t detail) {
    char line[2048];
    size_t length = 0;
    if (picolm_explain(model, options, line, sizeof line, &length) != PICOLM_OK || length == 0) {
        return fail(path, status, detail);
    }
    fprintf(stderr, "hosted: %s: %.*s\n", path, (int)length, line);
    return EXIT_FAILURE;
}

/* A picolm_read: `user` is the file's descriptor. */
static int32_t read_file(void *user, uint64_t offset, uint8_t *into, size_t length) {
    const int file = *(const int *)user;
    while (length > 0) {
        const ssize_t got = pread(file, into, length, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
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
static int32_t any_json(picolm_session *session, picolm_constraint **constraint,
                        void **at) {
    void *memory = NULL;
    uint64_t size = 0, needed = 0;
    int32_t status;
    while ((status = picolm_constraint_open(session, PICOLM_JSON, NULL, 0, memory, (size_t)size,
                                            &needed, constraint)) == PICOLM_GRAMMAR_MEMORY) {
        free(memory);
        size = needed;
        *at = memory = size <= SIZE_MAX / 2 ? memory_of((size_t)size) : NULL;
        if (memory == NULL) {
            return PICOLM_GRAMMAR_MEMORY;
        }
    }
    return status;
}

static int answer(picolm_session *session, const char *prompt, uint32_t max_tokens, int json,
                  uint32_t flags) {
    picolm_constraint *constraint = NULL;
    void *constraint_memory = NULL;
    picolm_generated generated = {.struct_size = sizeof generated};
    picolm_info info = {.struct_size = sizeof info};
    const float *logits;
    size_t count;

    int32_t status = json ? any_json(session, &constraint, &constraint_memory) : PICOLM_OK;
    if (status == PICOLM_OK) {
        status = picolm_feed_text(session, prompt, strlen(prompt), PICOLM_TEXT_WHOLE | flags, NULL,
                                  NULL);
    }
    if (status == PICOLM_OK) {
        status = picolm_logits(session, &logits, &count);
    }
    if (status == PICOLM_OK) {
        const uint64_t hash = hash_of(logits, count);
        fprintf(stderr, "logits: %016llx\n", (unsigned long long)hash);
        status = picolm_generate(session, constraint, max_tokens, show, NULL, stdout,
                                 &generated);
    }
    picolm_session_info(session, &info);
    if (constraint != NULL) {
        picolm_constraint_close(constraint);
    }
    free(constraint_memory);
    if (status != PICOLM_OK) {
        return fail("answer", status, info.detail);
    }
    fprintf(stderr, "tokens: %u, stopped by %u, position %u of %u\n", generated.tokens,
            generated.stop, info.position, info.context);
    return EXIT_SUCCESS;
}

/* The vector of a text. */
static int embed(picolm_session *session, const char *text, uint32_t flags) {
    picolm_info info = {.struct_size = sizeof info};
    picolm_session_info(session, &info);
    size_t length = info.vector_length;
    float *const vector = malloc(length * sizeof *vector);
    if (vector == NULL) {
        return fail("embed", PICOLM_NOT_ENOUGH_MEMORY, length * sizeof *vector);
    }
    const int32_t status = picolm_embed_text(session, text, strlen(text), PICOLM_TEXT_WHOLE | flags,
                                             vector, length, &length);
    const int written =
        status == PICOLM_OK && fwrite(vector, sizeof *vector, length, stdout) == length;
    free(vector);
    if (status != PICOLM_OK) {
        picolm_session_info(session, &info);
        return fail("embed", status, info.detail);
    }
    return written ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The file's header in memory, as much of it as it takes; all else is read when it is wanted. */
static int32_t read_header(picolm_model *model, const picolm_options *options, uint8_t **header,
                           size_t *size, uint64_t *detail) {
    int32_t status = PICOLM_HEADER_INCOMPLETE;
    for (uint64_t length = 1 << 16; status == PICOLM_HEADER_INCOMPLETE; length *= 2) {
        const uint64_t bytes = length < model->file_bytes ? length : model->file_bytes;
        uint8_t *const longer = bytes <= SIZE_MAX / 2 ? realloc(*header, (size_t)bytes) : NULL;
        if (longer == NULL) {
            return PICOLM_NOT_ENOUGH_MEMORY;
        }
        *header = longer;
        if (read_file(model->user, 0, longer, (size_t)bytes) != 0) {
            perror("hosted");
            return PICOLM_VALUE;
        }
        model->bytes = longer;
        model->length = (size_t)bytes;
        status = picolm_session_size(model, options, size, detail);
        if (bytes == model->file_bytes) {
            break;
        }
    }
    return status;
}

int main(int count, char **arguments) {
    if (count < 3) {
        fprintf(stderr, "usage: hosted MODEL PROMPT [MAX_TOKENS [CONTEXT]] [--read] [--json]"
                        " [--template] [--embed]\n");
        return 2;
    }
    uint32_t numbers[2] = {256, 0}; /* tokens at most, context */
    int reads = 0, json = 0, embeds = 0, given = 0;
    uint32_t flags = 0;
    for (int index = 3; index < count; index++) {
        if (strcmp(arguments[index], "--read") == 0) {
            reads = 1;
        } else if (strcmp(arguments[index], "--json") == 0) {
            json = 1;
        } else if (strcmp(arguments[index], "--embed") == 0) {
            embeds = 1;
        } else if (strcmp(arguments[index], "--template") == 0) {
            flags = PICOLM_TEXT_SPECIAL;
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
    picolm_model model = {.struct_size = sizeof model};
    picolm_options options;
    picolm_options_default(&options, sizeof options);
    options.temperature = 0;
    options.context = numbers[1];
    options.vectors = embeds ? PICOLM_VECTORS_RAW : PICOLM_VECTORS_NONE;
    size_t size = 0;
    uint64_t detail = 0;
    int32_t status;
    uint8_t *header = NULL;
    void *mapped = MAP_FAILED;

    if (reads) {
        /* As where nothing can be mapped. */
        model.read = read_file;
        model.user = &file;
        model.file_bytes = (uint64_t)about.st_size;
        status = read_header(&model, &options, &header, &size, &detail);
    } else {
        /* Mapped, the file is in memory as far as anyone can tell. */
        if ((uint64_t)about.st_size <= SIZE_MAX / 2) {
            model.length = (size_t)about.st_size;
            mapped = mmap(NULL, model.length, PROT_READ, MAP_PRIVATE, file, 0);
        }
        if (mapped == MAP_FAILED) {
            fprintf(stderr, "hosted: %s: cannot be mapped: try --read\n", arguments[1]);
            close(file);
            return EXIT_FAILURE;
        }
        model.bytes = mapped;
        status = picolm_session_size(&model, &options, &size, &detail);
    }

    int result = EXIT_FAILURE;
    void *const memory = status == PICOLM_OK ? memory_of(size) : NULL;
    picolm_session *session = NULL;
    if (status != PICOLM_OK) {
        refuse(arguments[1], &model, &options, status, detail);
    } else if (memory == NULL) {
        fprintf(stderr, "hosted: no %zu bytes of memory\n", size);
    } else {
        status = picolm_session_open(&model, &options, memory, size, &session, &detail);
        if (status != PICOLM_OK) {
            fail(arguments[1], status, detail);
        } else {
            fprintf(stderr, "memory: %zu bytes\n", size);
            result = embeds ? embed(session, arguments[2], flags)
                            : answer(session, arguments[2], numbers[0], json, flags);
            picolm_session_close(session);
        }
    }
    free(memory);
    free(header);
    if (mapped != MAP_FAILED) {
        munmap(mapped, model.length);
    }
    close(file);
    return result;
}
