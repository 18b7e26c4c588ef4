#include "observe/web/web_tls.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/trust.h"
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_BYTES_MAX = 1 << 20, LOOK_STEP_MS = 2000 };

/* ---- what is in the files */

/* They are read again when they change: a pipe gives what it has once, and to open one whose writer
 * is not there yet would wait for it. */
static enum status check_regular(const char *path, struct error *error)
{
    struct stat facts;
    if (stat(path, &facts) != 0 || S_ISREG(facts.st_mode)) {
        return STATUS_OK; /* that it is not there is said by who reads it */
    }
    error_set(error, ERROR_USAGE, path, "this is no regular file");
    return error_hint(error, "give the path of a PEM file: it is read again when it is renewed");
}

static enum status read_text(const char *path, char **text, struct error *error)
{
    char *bytes;
    size_t length;
    if (check_regular(path, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct arena *arena = arena_create(0);
    enum status status = trust_read_file(path, FILE_BYTES_MAX, arena, &bytes, &length, error);
    if (status == STATUS_END) {
        error_set(error, ERROR_USAGE, path, "there is no such file");
    } else if (status == STATUS_FAILED) {
        status = trust_recode(error, ERROR_USAGE);
    } else {
        *text = memory_copy_bytes(bytes, length);
        OPENSSL_cleanse(bytes, length);
    }
    arena_destroy(arena);
    return status == STATUS_OK ? STATUS_OK : STATUS_FAILED;
}

static enum status check_reader(const char *path, struct error *error)
{
    struct stat facts;
    if (trust_takes_files() || stat(path, &facts) != 0 || (facts.st_mode & S_IROTH) == 0) {
        return STATUS_OK;
    }
    error_set(error, ERROR_FILE_UNTRUSTED, path,
              "everybody may read it, and so pretend to be this server");
    return error_hint(error, "chmod o-r it, or --trust-files if you know who may read it");
}

/* No terminal is asked for a password; `user` hears that one was wanted. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the signature is OpenSSL's */
static int refuse_password(char *out, int capacity, int for_writing, void *user)
{
    bool *is_wanted = user;
    (void)out;
    (void)capacity;
    (void)for_writing;
    *is_wanted = true;
    return -1;
}

static X509 *parse_certificate(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return certificate;
}

static EVP_PKEY *parse_key(const char *text, bool *wants_password)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, refuse_password, wants_password);
    BIO_free(bio);
    return key;
}

static enum status check_texts(const struct web_tls_files *files, const struct web_tls_texts *texts,
                               struct error *error)
{
    bool wants_password = false;
    X509 *certificate = parse_certificate(texts->certificate);
    EVP_PKEY *key = parse_key(texts->key, &wants_password);
    enum status status = STATUS_FAILED;
    if (certificate == NULL) {
        error_set(error, ERROR_USAGE, files->certificate, "there is no certificate in it, as PEM");
    } else if (wants_password) {
        error_set(error, ERROR_USAGE, files->key,
                  "its key is encrypted; one without a password "
                  "is needed");
    } else if (key == NULL) {
        error_set(error, ERROR_USAGE, files->key, "there is no private key in it, as PEM");
    } else if (X509_check_private_key(certificate, key) != 1) {
        error_set(error, ERROR_USAGE, files->key, "it is not the key of the certificate in %s",
                  files->certificate);
    } else {
        status = STATUS_OK;
        if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
            log_write(LOG_WARNING, "the certificate in %s has expired: browsers will refuse it",
                      files->certificate);
        }
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return status;
}

enum status web_tls_read(const struct web_tls_files *files, struct web_tls_texts *texts,
                         struct error *error)
{
    *texts = (struct web_tls_texts){0};
    if (files->certificate == NULL || files->key == NULL) {
        bool has_key = files->key != NULL;
        return error_set(error, ERROR_USAGE, has_key ? "--tls-key" : "--tls-cert",
                         "needs %s FILE beside it", has_key ? "--tls-cert" : "--tls-key");
    }
    if (read_text(files->certificate, &texts->certificate, error) != STATUS_OK ||
        check_reader(files->key, error) != STATUS_OK ||
        read_text(files->key, &texts->key, error) != STATUS_OK ||
        check_texts(files, texts, error) != STATUS_OK) {
        web_tls_free(texts);
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

void web_tls_free(struct web_tls_texts *texts)
{
    if (texts->key != NULL) {
        OPENSSL_cleanse(texts->key, strlen(texts->key));
    }
    free(texts->certificate);
    free(texts->key);
    *texts = (struct web_tls_texts){0};
}

/* ---- changes */

static uint64_t mix(uint64_t hash, const char *path)
{
    struct stat facts = {0};
    (void)stat(path, &facts); /* one that is not there is as all zeros */
    const uint64_t parts[] = {(uint64_t)facts.st_ino, (uint64_t)facts.st_size,
                              (uint64_t)facts.st_mtim.tv_sec, (uint64_t)facts.st_mtim.tv_nsec,
                              (uint64_t)facts.st_mode};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        hash = (hash ^ parts[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return hash;
}

static uint64_t signature_of(const struct web_tls_files *files)
{
    return mix(mix(1, files->certificate), files->key);
}

void web_tls_watch(struct web_tls_watch *watch, const struct web_tls_files *files)
{
    watch->signature = signature_of(files);
    watch->next_ms = clock_monotonic_ms() + LOOK_STEP_MS;
}

bool web_tls_has_changed(struct web_tls_watch *watch, const struct web_tls_files *files)
{
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms < watch->next_ms) {
        return false;
    }
    watch->next_ms = now_ms + LOOK_STEP_MS;
    uint64_t before = watch->signature;
    watch->signature = signature_of(files);
    return watch->signature != before;
}
