/* A model without an operating system's library: weights in the program itself, a static array for
 * memory, a start of its own. What it asks of Linux are two calls, for bytes to be seen and to end;
 * on a board those are a UART and a loop.
 *
 * Built with -ffreestanding -nostdlib; MODEL is the file's path; PROMPT, MAX_TOKENS, CONTEXT and
 * SESSION_BYTES (what picolm_session_size says) are the rest of what it is to do.
 */
#include "picolm.h"

#if defined __x86_64__
#define WRITE 1
#define EXIT 60
static long call(long number, long a, const void *b, unsigned long c) {
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}
__asm__(".globl _start\n_start: xor %ebp, %ebp\n and $-16, %rsp\n call begin\n ud2\n");
#elif defined __aarch64__
#define WRITE 64
#define EXIT 93
static long call(long number, long a, const void *b, unsigned long c) {
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a;
    register const void *x1 __asm__("x1") = b;
    register unsigned long x2 __asm__("x2") = c;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
}
__asm__(".globl _start\n_start: mov x29, #0\n bl begin\n udf #0\n");
#endif

/* The model, as flash would hold it. */
__asm__(".section .rodata\n.globl model_start, model_end\nmodel_start: .incbin \"" MODEL
        "\"\nmodel_end:\n.previous\n");
extern const uint8_t model_start[], model_end[];

/* As large as picolm_session_size says for this model and these options. */
static _Alignas(PICOLM_ALIGN) uint8_t memory[SESSION_BYTES];

/* What every C compiler takes for granted. */
void *memcpy(void *restrict to, const void *restrict from, size_t count) {
    char *t = to;
    const char *f = from;
    while (count-- > 0) {
        *t++ = *f++;
    }
    return to;
}
void *memmove(void *to, const void *from, size_t count) {
    char *t = to;
    const char *f = from;
    if ((uintptr_t)t - (uintptr_t)f >= count) {
        return memcpy(to, from, count);
    }
    while (count-- > 0) {
        t[count] = f[count];
    }
    return to;
}
void *memset(void *to, int value, size_t count) {
    char *t = to;
    while (count-- > 0) {
        *t++ = (char)value;
    }
    return to;
}
int memcmp(const void *left, const void *right, size_t count) {
    const unsigned char *l = left, *r = right;
    for (; count > 0; count--, l++, r++) {
        if (*l != *r) {
            return *l < *r ? -1 : 1;
        }
    }
    return 0;
}
int bcmp(const void *left, const void *right, size_t count) { return memcmp(left, right, count); }

static size_t length_of(const char *text) {
    size_t length = 0;
    while (text[length] != 0) {
        length++;
    }
    return length;
}

/* A picolm_on_text. */
static int32_t show(void *user, const char *text, size_t length) {
    (void)user;
    return call(WRITE, 1, text, length) != (long)length;
}

static int32_t run(void) {
    const picolm_model model = {
        .struct_size = sizeof model,
        .bytes = model_start,
        .length = (size_t)(model_end - model_start),
    };
    picolm_options options;
    picolm_session *session;
    int32_t status = picolm_options_default(&options, sizeof options);
    options.temperature = 0;
    options.context = CONTEXT;
    if (status == PICOLM_OK) {
        status = picolm_session_open(&model, &options, memory, sizeof memory, &session, NULL);
    }
    if (status == PICOLM_OK) {
        status = picolm_feed_text(session, PROMPT, sizeof PROMPT - 1, PICOLM_TEXT_WHOLE, NULL, NULL);
    }
    if (status == PICOLM_OK) {
        status = picolm_generate(session, NULL, MAX_TOKENS, show, NULL, NULL, NULL);
    }
    return status;
}

void begin(void);
void begin(void) {
    const int32_t status = run();
    if (status != PICOLM_OK) {
        const char *const text = picolm_error_text(status);
        call(WRITE, 2, text, length_of(text));
        call(WRITE, 2, "\n", 1);
    }
    call(EXIT, status, NULL, 0);
}
