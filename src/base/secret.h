/* Secrets: texts that no log, state, report or error may show. */
#ifndef TRANSHUME_BASE_SECRET_H
#define TRANSHUME_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Keeps this process's memory, which holds secrets, from core files and from other processes of the
 * same user. */
void secret_forbid_dumps(void);

/* From now on each occurrence of `text` (at least 4 bytes) is shown as "***", also as YAML and JSON
 * write it between quotes. Any thread. */
void secret_register(const char *text, size_t length);
/* Registers what is secret in a URI, whatever its scheme: password and values of parameters, as
 * they are written and as they are meant (%41). */
void secret_register_uri(const char *uri);
/* The same for all words of a text; words end at blanks and quotes. */
void secret_register_uris(const char *text);
/* Overwrites memory that held a secret, in a way that no compiler takes out. NULL is fine. */
void secret_wipe(void *memory, size_t size);
/* Replaces registered secrets in place; the result is never longer than the input. */
void secret_redact(char *line);
/* A copy of a longer text (free it), without registered secrets and without what is secret in words
 * that look like URIs, however short. */
char *secret_redact_copy(const char *text) __attribute__((returns_nonnull));
/* The parts that a URI hides when it is shown go from it, names of parameters included:
 * "postgres://u@h/db". */
void secret_strip_hidden(char *uri);
/* Are they the same but for a password, which one of them may hide and the other leave out? */
bool secret_is_same_uri(const char *shown, const char *other);
/* The URI without user's password: "postgres://u:***@host/db", into `out`. */
void secret_redact_uri(const char *uri, char *out, size_t capacity);

#endif
