//! `--help`.

/// What `--help` prints.
pub(crate) const HELP: &str = "\
picolm: runs GGUF language models on small machines

usage: picolm MODEL.gguf [-p PROMPT] [options]    write on from a prompt
       picolm chat MODEL.gguf [options]           talk with it
       picolm info MODEL.gguf                     what the model is and the memory it needs
       picolm tokenize MODEL.gguf [-p TEXT]       token ids, as a JSON array
       picolm logits MODEL.gguf --tokens 1,2,3    raw scores, little-endian 32-bit floats
       picolm embed MODEL.gguf [-p TEXT]          a text as a vector, for search
       picolm perplexity MODEL.gguf -f FILE       how well the model predicts a text
       picolm bench MODEL.gguf                    tokens per second
       picolm serve MODEL.gguf [options]          answer over HTTP, as OpenAI's API

Only generated text goes to stdout; statistics and errors go to stderr. A prompt is
taken byte for byte; names of special tokens in it (</s>, <|im_end|>) are those tokens.

  -p, --prompt TEXT        the prompt; without it, all of stdin
  -e, --escape             \\n \\t \\r \\\\ \\xHH in -p mean what they mean in C
  -n, --max-tokens N       write at most N tokens                        [256]
  -t, --temperature T      0 always takes the likeliest token            [0.8]
  -k, --top-p P            keep the likeliest tokens that hold share P   [0.9]
  -s, --seed S             same seed, same text                          [42]
  -c, --context N          tokens of prompt and text    [the model's, up to 2048]
      --kv TYPE            keys and values as f16, q8_0 (half the memory) or q4_0  [f16]
      --cache FILE         keep the text there: the next prompt skips what it shares
      --cache-max SIZE     longest FILE: 64M, 500K, bytes      [what -c tokens need]
      --shift [fast]       when the context is full, go on with its first tokens and
                           newest half; `fast` approximates instead of computing anew
      --keep N             first tokens that --shift keeps                   [4]
      --ram SIZE           take no more memory than this, page cache included: 256M, 1G, or
                           auto: what is available [only where the model does not fit in that]
      --expert-profile FILE  count there how often experts are used: --ram then keeps
                           those in memory that earlier runs used most
      --lock               read the whole model first and keep it in memory
  -j, --threads N          at most 32                           [usable cores]
      --json [value]       write a JSON object, or any value: always whole, within -n
      --schema FILE|JSON   write JSON that a JSON Schema allows: whole, too
      --strict-schema      refuse keywords and formats of the schema that are not known
      --grammar FILE       write what a GBNF grammar says: whole, too
      --pretty             lines of JSON may break and be indented
      --skip-layers LIST   leave these blocks out, such as 3,7-9
      --quiet              no statistics on stderr
      --lookup             guess from earlier text: less time, same text
      --draft MODEL        let a smaller model with the same vocabulary guess
      --stop TEXT          end where the text comes, without it; several
      --chat               the prompt is a user's message: in the model's chat template
      --system TEXT        what the model is told before a chat
      --chat-template NAME this one (chatml, llama3, ...), whatever the model says
      --think on|off       whether the model thinks before it answers, if it can be told
      --top-k --min-p ...  how tokens are chosen: --help-sampling
  -h, --help               this text
  -V, --version            the version

chat:        as above but for -p and -e; -n: tokens of an answer [1024]; /help says more
info:        -c --kv --ram --skip-layers as above: where each byte goes, and seconds a token
             as measured here
tokenize:    -p or stdin; --no-special: no tokens added, no special tokens recognised
logits:      --all: every position, not only the last; -c --kv --ram -j --skip-layers as above
embed:       -p, stdin or --tokens; little-endian 32-bit floats, --json: a JSON array;
             --normalize: of length 1; --kv --ram -j --skip-layers as above
perplexity:  -f FILE, -c N: tokens of a window [512];
             --kv --ram -j --quiet --skip-layers as above
bench:       -p N: prompt tokens [128], -n N: generated tokens [32], 0 for none;
             --depth N: generated after N positions [0],
             -r N: repetitions, of which the median counts [5];
             --kv; --ram; -j; --json; --skip-layers;
             --bandwidth: only how fast the machine reads the file
serve:       --host ADDRESS [127.0.0.1], --port N [8080]; --slots N: texts at the same time,
             of -c tokens each [1]; --api-key-file FILE: requests must bring its first line;
             --cache-dir FOLDER: keep texts there over restarts, --cache-max SIZE: most bytes
             of them [1G], --cache-writes SIZE: most written a day, since cards wear out [2G];
             --chat-template --think -c -j --kv --ram --quiet --skip-layers as above
             (only in programs that were built with it)

A first argument that is a command's name is the command: a model file called `info` is
reached as ./info. `--` ends the options.

environment: PICOLM_CPU=LEVEL forces instruction sets down (portable is the least);
             PICOLM_ACTIVATIONS=f32 multiplies without rounding activations to 8 bits

exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted
";
