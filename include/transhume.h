/*
 * libtranshume: has the program transhume run a command, and reports its progress and result.
 *
 * The library starts the program as a process of its own. A run that has no memory left, or is
 * killed, ends that process and not the caller's; it can be resumed as from the command line.
 *
 * Everything here may be called from any thread; calls share nothing. The library installs no
 * signal handler and leaves the caller's descriptors and folder alone. It waits for its own child
 * process by pid: a caller that ignores SIGCHLD, or reaps every child, loses the exit status
 * (TRANSHUME_FAILED, "program-ended"). The program gets the caller's environment, with variables
 * that make it speak JSON (TRANSHUME_JSON, _PROGRESS, _LOG_FORMAT, _VERBOSE, _QUIET) in it.
 *
 * What is declared here keeps its meaning and its layout within a soname; structs only grow at
 * their end, and say by their `size` how large the caller knows them. Link with `pkg-config --libs
 * transhume`.
 */
#ifndef TRANSHUME_H
#define TRANSHUME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TRANSHUME_EXPORT __attribute__((visibility("default")))

/* What the program's exit statuses mean. */
enum transhume_status {
    TRANSHUME_DONE = 0,
    TRANSHUME_ATTENTION = 1,   /* done, but records were rejected, or differences found */
    TRANSHUME_USAGE = 2,       /* wrong arguments, plan or configuration; nothing was touched */
    TRANSHUME_FAILED = 3,      /* the command "resume" continues once the cause is fixed */
    TRANSHUME_INTERRUPTED = 4, /* "resume" continues */
    TRANSHUME_REFUSED = 5      /* for safety: the target holds records, for example */
};

/* Something that happened. Texts are UTF-8, live until the callback returns, and are NULL where
 * they are not known; numbers are -1 then. */
struct transhume_event {
    size_t size;
    /* "progress", each second, or a kind of docs/observing.md: "run", "phase", "chunk", "reject",
     * "error", "message" … Kinds that a program does not know are to be passed over. */
    const char *kind;
    const char *level; /* "error", "warning", "info" or "debug"; NULL for "progress" */
    const char *phase; /* of "progress" */
    const char *text;  /* a sentence for people */
    const char *code;
    const char *state;
    const char *table;
    const char *hint;
    int64_t count;
    int64_t milliseconds;
    int64_t done;     /* records, of "progress" */
    int64_t total;    /* records that it will be */
    const char *json; /* the whole of it, as the program wrote it; NULL: it wrote plain text */
};

/* Returns 0; anything else asks the run to stop once the chunks in progress are done, as Ctrl-C
 * does (TRANSHUME_INTERRUPTED). Called by the thread that called transhume_call. */
typedef int transhume_event_function(void *context, const struct transhume_event *event);

/* Zero it, and set `size` to its size and `arguments`. All is borrowed for the call. */
struct transhume_call {
    size_t size;
    /* The command and what follows it, NULL at the end: {"migrate", "--plan", "shop.yaml", NULL}.
     * Other users of the machine can read them, so passwords belong in the environment. */
    const char *const *arguments;
    const char *program; /* an absolute path, or a name that is looked for in PATH; NULL:
                            $TRANSHUME, else "transhume" */
    const char *folder;  /* to run in; NULL: the caller's */
    transhume_event_function *on_event; /* NULL: nobody listens */
    void *context;                      /* for on_event */
};

struct transhume_result;

/*
 * Runs the command and returns when it has ended. `*result` is the caller's to destroy; NULL only
 * where memory is out (TRANSHUME_FAILED). A program that cannot be started is TRANSHUME_USAGE with
 * the code "program-missing"; one that a signal ended is TRANSHUME_FAILED with "program-ended", and
 * one that printed more than 64 MiB, and was stopped for it, with "output-too-large". All other
 * codes are the program's.
 */
TRANSHUME_EXPORT enum transhume_status transhume_call(const struct transhume_call *call,
                                                      struct transhume_result **result)
    __attribute__((warn_unused_result));

TRANSHUME_EXPORT void transhume_result_destroy(struct transhume_result *result); /* takes NULL */

/* What the following return lives as long as the result does. They take NULL. */
TRANSHUME_EXPORT enum transhume_status
transhume_result_status(const struct transhume_result *result);
/* What the command printed with --json; "" if that was nothing. */
TRANSHUME_EXPORT const char *transhume_result_json(const struct transhume_result *result);
/* The id of the run, or NULL. */
TRANSHUME_EXPORT const char *transhume_result_run(const struct transhume_result *result);
/* A sum over all entities ("read", "written", "rejected", "skipped", "bytes"), where these have it;
 * else the number of that name in the JSON ("milliseconds", "rows" of a validate). -1: none. */
TRANSHUME_EXPORT int64_t transhume_result_count(const struct transhume_result *result,
                                                const char *name);
/* Why it failed; NULL where it did not, and where that part is not known. The code is explained by
 * `transhume help CODE`. */
TRANSHUME_EXPORT const char *transhume_result_error_code(const struct transhume_result *result);
TRANSHUME_EXPORT const char *transhume_result_error_message(const struct transhume_result *result);
TRANSHUME_EXPORT const char *transhume_result_error_object(const struct transhume_result *result);
TRANSHUME_EXPORT const char *transhume_result_error_hint(const struct transhume_result *result);

/* Of this library, as "0.1.0". */
TRANSHUME_EXPORT const char *transhume_library_version(void);

#ifdef __cplusplus
}
#endif

#endif
