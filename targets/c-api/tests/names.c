/* Names every function of picolm.h: what the linker needs for all of it must be there. */
#include "picolm.h"

typedef void (*function)(void);

static const function all[] = {
    (function)picolm_version,          (function)picolm_cpu,
    (function)picolm_error_text,       (function)picolm_options_default,
    (function)picolm_session_size,     (function)picolm_session_open,
    (function)picolm_session_close,    (function)picolm_session_info,
    (function)picolm_tokenize,         (function)picolm_feed,
    (function)picolm_feed_text,        (function)picolm_generate,
    (function)picolm_next,             (function)picolm_token_text,
    (function)picolm_logits,           (function)picolm_sampling,
    (function)picolm_rewind,           (function)picolm_reset,
    (function)picolm_constraint_open,  (function)picolm_constraint_close,
};

int main(void) {
    volatile unsigned found = 0;
    for (unsigned index = 0; index < sizeof all / sizeof *all; index++) {
        found += all[index] != 0;
    }
    return found == sizeof all / sizeof *all ? 0 : 1;
}
