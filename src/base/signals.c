/* The stop flag and the handlers that raise it. */
#include "base/signals.h"

#include "base/clock.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_INTERRUPTED = 4 };

static atomic_int stop_level;
static _Atomic(const char *) last_words;
static _Atomic int64_t stop_at_ms; /* monotonic; 0: none */
static _Thread_local bool shielded;

static void on_signal(int number)
{
    const char *words = atomic_load(&last_words);
    if (words != NULL) {
        (void)!write(STDERR_FILENO, words, strlen(words));
        _exit(EXIT_INTERRUPTED);
    }
    int level = atomic_load(&stop_level);
    int next;
    do {
        next = level < 2 ? level + 1 : 2;
    } while (!atomic_compare_exchange_weak(&stop_level, &level, next));
    if (next == 2) {
        signal(number, SIG_DFL); /* one more ends the process, whatever it hangs in */
    }
}

void signals_setup(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    sigaddset(&action.sa_mask, SIGHUP);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct sigaction before;
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
        sigaction(SIGHUP, &action, NULL); /* nohup has it ignored, and means that */
    }
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL); /* a write beyond a limit fails, as on a full disk */
}

const char *signals_end_with(const char *words)
{
    return atomic_exchange(&last_words, words);
}

int signals_stop_level(void)
{
    int64_t at_ms = atomic_load_explicit(&stop_at_ms, memory_order_relaxed);
    if (shielded) {
        return 0;
    }
    return at_ms != 0 && clock_monotonic_ms() >= at_ms
               ? 2
               : atomic_load_explicit(&stop_level, memory_order_relaxed);
}

void signals_stop_at(int64_t at_ms)
{
    atomic_store(&stop_at_ms, at_ms);
}

bool signals_shield(bool on)
{
    bool before = shielded;
    shielded = on;
    return before;
}

bool signals_is_shielded(void)
{
    return shielded;
}

void signals_request_stop(int level)
{
    int now = atomic_load(&stop_level);
    while (now < level && !atomic_compare_exchange_weak(&stop_level, &now, level)) {
    }
}
