/* Certificates by OpenSSL's API. */
#include "support_certificates.h"

#include "base/memory.h"
#include "support.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATHS_MAX = 16, DAY_S = 86400 };

struct test_authority {
    char *folder;
    char *file;
    EVP_PKEY *key;
    X509 *certificate;
    long serial;
    char *paths[PATHS_MAX];
    size_t path_count;
};

static X509 *new_certificate(EVP_PKEY *key, const char *name, long serial, int days)
{
    X509 *certificate = X509_new();
    assert_non_null(certificate);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -2L * DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(certificate), (long)days * DAY_S);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    return certificate;
}

static void add_extension(X509 *certificate, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static void write_pem(const char *path, X509 *certificate, EVP_PKEY *key)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    if (key != NULL) {
        assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    }
    fclose(file);
}

struct test_authority *test_authority_create(const char *folder)
{
    struct test_authority *authority = memory_allocate_zeroed(1, sizeof(*authority));
    authority->folder = memory_copy_string(folder);
    authority->file = memory_format("%s/ca.pem", folder);
    authority->key = EVP_EC_gen("P-256");
    assert_non_null(authority->key);
    authority->certificate = new_certificate(authority->key, "test authority", 1, 2);
    X509_set_issuer_name(authority->certificate, X509_get_subject_name(authority->certificate));
    add_extension(authority->certificate, NID_basic_constraints, "critical,CA:TRUE");
    assert_true(X509_sign(authority->certificate, authority->key, EVP_sha256()) > 0);
    write_pem(authority->file, authority->certificate, NULL);
    authority->serial = 1;
    return authority;
}

void test_authority_destroy(struct test_authority *authority)
{
    X509_free(authority->certificate);
    EVP_PKEY_free(authority->key);
    for (size_t i = 0; i < authority->path_count; i++) {
        free(authority->paths[i]);
    }
    free(authority->folder);
    free(authority->file);
    free(authority);
}

const char *test_authority_file(const struct test_authority *authority)
{
    return authority->file;
}

const char *test_authority_sign(struct test_authority *authority, const char *name,
                                const char *alternatives, int days)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_non_null(key);
    assert_true(authority->path_count < PATHS_MAX);
    X509 *certificate = new_certificate(key, name, ++authority->serial, days);
    X509_set_issuer_name(certificate, X509_get_subject_name(authority->certificate));
    add_extension(certificate, NID_subject_alt_name, alternatives);
    assert_true(X509_sign(certificate, authority->key, EVP_sha256()) > 0);
    char *path = memory_format("%s/%s.pem", authority->folder, name);
    write_pem(path, certificate, key);
    authority->paths[authority->path_count++] = path;
    X509_free(certificate);
    EVP_PKEY_free(key);
    return path;
}
