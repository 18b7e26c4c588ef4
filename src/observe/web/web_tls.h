/*
 * The certificate of a web server and its key, from two PEM files that are read again when they
 * change. OpenSSL says what is wrong with them; TLS itself is spoken by libmicrohttpd, which has
 * GnuTLS for it.
 */
#ifndef TRANSHUME_OBSERVE_WEB_TLS_H
#define TRANSHUME_OBSERVE_WEB_TLS_H

#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

/* Paths. Both NULL: no TLS. */
struct web_tls_files {
    const char *certificate; /* the server's own first, then those of authorities between */
    const char *key;
};

/* The contents of the files, ended by NUL. */
struct web_tls_texts {
    char *certificate;
    char *key;
};

/* How the files stood when they were looked at last. */
struct web_tls_watch {
    uint64_t signature;
    int64_t next_ms; /* monotonic: when they are looked at again */
};

/*
 * Reads the files. USAGE: one of them is not given, can't be read, is not PEM, needs a password, or
 * the two don't belong together. FILE_UNTRUSTED: others may write one of them (base/trust.h), or
 * everybody may read the key.
 */
enum status web_tls_read(const struct web_tls_files *files, struct web_tls_texts *texts,
                         struct error *error) MUST_USE;
void web_tls_free(struct web_tls_texts *texts);

/* From now on web_tls_has_changed tells of changes. */
void web_tls_watch(struct web_tls_watch *watch, const struct web_tls_files *files);
/* Is one of the files another than when they were looked at last? Looks every two seconds. */
bool web_tls_has_changed(struct web_tls_watch *watch, const struct web_tls_files *files);

#endif
