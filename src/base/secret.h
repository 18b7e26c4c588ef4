/* Secrets: texts that no log, state, report or error may show. */
#ifndef TRANSHUME_BASE_SECRET_H
#define TRANSHUME_BASE_SECRET_H

#include <stddef.h>

/* From now on each occurrence of `text` (at least 4 bytes) is shown as "***". Any thread. */
void secret_register(const char *text, size_t length);
/* Overwrites memory that held a secret, in a way that no compiler takes out. NULL is fine. */
void secret_wipe(void *memory, size_t size);
/* Replaces registered secrets in place; the result is never longer than the input. */
void secret_redact(char *line);
/* The URI without user's password: "postgres://u:***@host/db", into `out`. */
void secret_redact_uri(const char *uri, char *out, size_t capacity);

#endif
