/* Signature Version 4: canonical request, string to sign, signature, with the derived key kept. */
#include "net/aws_sign.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGEST_BYTES = 32, DIGEST_HEX_BYTES = 65, HEADERS_MAX = 64, NAME_BYTES_MAX = 128 };

/* A header as it is signed: the name in lower case, the place of its value in the request. */
struct signed_header {
    char name[NAME_BYTES_MAX];
    const char *value;
    uint32_t position;
};

struct aws_signer {
    EVP_MD *sha256;
    EVP_MD_CTX *digest;
    EVP_MAC *hmac;
    EVP_MAC_CTX *mac;
    bool key_set; /* `mac` holds the key of: */
    uint64_t key_generation;
    char key_id[132];
    char key_day[9];
    char key_region[64];
    char key_service[64];
    struct signed_header headers[HEADERS_MAX];
    uint32_t header_count;
    struct buffer names; /* "host;x-amz-date" */
    struct buffer canonical;
    struct buffer to_sign;
    struct buffer authorization;
    struct buffer scratch;
    char time[17]; /* "20150830T123600Z" */
    char payload_hash[DIGEST_HEX_BYTES];
};

/* For memory alone OpenSSL fails in what is asked of it here. */
static void require(bool done)
{
    if (!done) {
        memory_exhausted(0);
    }
}

struct aws_signer *aws_signer_create(void)
{
    struct aws_signer *signer = memory_allocate_zeroed(1, sizeof(*signer));
    signer->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    signer->digest = EVP_MD_CTX_new();
    signer->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    require(signer->sha256 != NULL && signer->digest != NULL && signer->hmac != NULL);
    signer->mac = EVP_MAC_CTX_new(signer->hmac);
    require(signer->mac != NULL);
    return signer;
}

static void wipe_and_free(struct buffer *buffer)
{
    secret_wipe(buffer->data, buffer->capacity);
    buffer_free(buffer);
}

void aws_signer_destroy(struct aws_signer *signer)
{
    if (signer == NULL) {
        return;
    }
    EVP_MAC_CTX_free(signer->mac); /* OpenSSL wipes the key */
    EVP_MAC_free(signer->hmac);
    EVP_MD_CTX_free(signer->digest);
    EVP_MD_free(signer->sha256);
    buffer_free(&signer->names);
    wipe_and_free(&signer->canonical); /* may hold the session token */
    wipe_and_free(&signer->to_sign);
    wipe_and_free(&signer->authorization);
    wipe_and_free(&signer->scratch);
    free(signer);
}

/* ---------------------------------------------------------------- digests */

static void hash_hex(struct aws_signer *signer, const void *bytes, size_t length,
                     char hex[DIGEST_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[DIGEST_BYTES];
    require(EVP_DigestInit_ex2(signer->digest, signer->sha256, NULL) == 1 &&
            EVP_DigestUpdate(signer->digest, bytes, length) == 1 &&
            EVP_DigestFinal_ex(signer->digest, digest, NULL) == 1);
    for (int i = 0; i < DIGEST_BYTES; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[DIGEST_HEX_BYTES - 1] = '\0';
}

/* `key` NULL: the one set last. */
static void hmac(struct aws_signer *signer, const void *key, size_t key_length, const char *text,
                 size_t text_length, unsigned char out[DIGEST_BYTES])
{
    char name[] = "SHA256";
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", name, 0),
                               OSSL_PARAM_construct_end()};
    size_t length = 0;
    require(EVP_MAC_init(signer->mac, key, key_length, key == NULL ? NULL : parameters) == 1 &&
            EVP_MAC_update(signer->mac, (const unsigned char *)text, text_length) == 1 &&
            EVP_MAC_final(signer->mac, out, &length, DIGEST_BYTES) == 1 && length == DIGEST_BYTES);
}

static bool has_key_of(const struct aws_signer *signer, const struct aws_sign_request *request)
{
    return signer->key_set && signer->key_generation == request->credentials->generation &&
           strcmp(signer->key_id, request->credentials->access_key_id) == 0 &&
           memcmp(signer->key_day, signer->time, 8) == 0 &&
           strcmp(signer->key_region, request->region) == 0 &&
           strcmp(signer->key_service, request->service) == 0;
}

/* Leaves the key of (secret, day, region, service) in `mac`. */
static void derive_key(struct aws_signer *signer, const struct aws_sign_request *request)
{
    if (has_key_of(signer, request)) {
        return;
    }
    const char *secret = request->credentials->secret_access_key;
    size_t secret_length = strlen(secret);
    struct buffer *start = &signer->scratch;
    buffer_clear(start);
    buffer_append(start, "AWS4", 4);
    buffer_append(start, secret, secret_length);
    const char *const steps[] = {request->region, request->service, "aws4_request"};
    unsigned char key[DIGEST_BYTES];
    hmac(signer, start->data, start->length, signer->time, 8, key);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        hmac(signer, key, sizeof(key), steps[i], strlen(steps[i]), key);
    }
    unsigned char unused[DIGEST_BYTES];
    hmac(signer, key, sizeof(key), "", 0, unused);
    secret_wipe(start->data, start->length);
    secret_wipe(key, sizeof(key));
    signer->key_generation = request->credentials->generation;
    snprintf(signer->key_id, sizeof(signer->key_id), "%s", request->credentials->access_key_id);
    memcpy(signer->key_day, signer->time, 8);
    snprintf(signer->key_region, sizeof(signer->key_region), "%s", request->region);
    snprintf(signer->key_service, sizeof(signer->key_service), "%s", request->service);
    signer->key_set = true;
}

/* ---------------------------------------------------------------- the canonical request */

static bool is_unreserved(unsigned char byte)
{
    return isalnum(byte) || byte == '-' || byte == '_' || byte == '.' || byte == '~';
}

static void append_encoded(struct buffer *out, const char *bytes, size_t length, char kept)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (is_unreserved(byte) || (kept != '\0' && byte == (unsigned char)kept)) {
            buffer_append_byte(out, (char)byte);
        } else {
            buffer_append_byte(out, '%');
            buffer_append_byte(out, digits[byte >> 4]);
            buffer_append_byte(out, digits[byte & 15]);
        }
    }
}

/* A path for S3: what is encoded stays so, what should be becomes so. */
static void append_encoded_once(struct buffer *out, const char *path)
{
    for (; *path != '\0'; path++) {
        bool is_escape =
            path[0] == '%' && text_hex_digit(path[1]) >= 0 && text_hex_digit(path[2]) >= 0;
        if (is_escape) {
            buffer_append_byte(out, '%');
        } else {
            append_encoded(out, path, 1, '/');
        }
    }
}

/* "." and ".." and empty segments out, a slash at the end kept: "/a/./b/../c//d/" to "/a/c/d/".
 * Where RFC 3986 and AWS's own clients differ ("/a/." becomes "/a"), as these have it. */
static void normalize_path(const char *path, struct buffer *out)
{
    buffer_clear(out);
    size_t length = strlen(path);
    bool ends_open = length > 0 && path[length - 1] == '/';
    while (*path != '\0') {
        size_t segment = strcspn(path, "/");
        bool is_dot = segment == 1 && path[0] == '.';
        bool is_up = segment == 2 && path[0] == '.' && path[1] == '.';
        if (is_up) {
            while (out->length > 0 && out->data[--out->length] != '/') {
            }
        } else if (segment > 0 && !is_dot) {
            buffer_append_byte(out, '/');
            buffer_append(out, path, segment);
        }
        path += segment + (path[segment] == '/');
    }
    if (ends_open || out->length == 0) {
        buffer_append_byte(out, '/');
    }
}

/* Every service but S3 signs the path encoded once more than it is sent. */
static void append_path(struct aws_signer *signer, const struct aws_sign_request *request)
{
    const char *path = request->path == NULL || request->path[0] == '\0' ? "/" : request->path;
    if (strcmp(path, "/") == 0) {
        buffer_append_byte(&signer->canonical, '/');
    } else if (request->keep_path) {
        append_encoded_once(&signer->canonical, path);
    } else {
        normalize_path(path, &signer->scratch);
        append_encoded(&signer->canonical, signer->scratch.data, signer->scratch.length, '/');
    }
}

struct query_part {
    size_t name; /* offsets into scratch */
    size_t name_length;
    size_t value;
    size_t value_length;
};

static int compare_parts(const void *left, const void *right, void *text)
{
    const struct query_part *a = left;
    const struct query_part *b = right;
    const char *base = text;
    int order = text_compare(base + a->name, a->name_length, base + b->name, b->name_length);
    return order != 0
               ? order
               : text_compare(base + a->value, a->value_length, base + b->value, b->value_length);
}

/* Appends a name or value of the query decoded and encoded again, so that it is encoded one way
 * only. */
static void append_query_text(struct buffer *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char byte = text[i];
        int high = byte == '%' && length - i > 2 ? text_hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? text_hex_digit(text[i + 2]) : -1;
        if (low >= 0) {
            byte = (char)(high << 4 | low);
            i += 2;
        }
        append_encoded(out, &byte, 1, '\0');
    }
}

static void append_query(struct aws_signer *signer, const char *query)
{
    if (query == NULL || query[0] == '\0') {
        return;
    }
    size_t count = 1;
    for (const char *c = query; *c != '\0'; c++) {
        count += *c == '&';
    }
    struct query_part *parts = memory_allocate_zeroed(count, sizeof(*parts));
    struct buffer *text = &signer->scratch;
    buffer_clear(text);
    size_t used = 0;
    while (*query != '\0') {
        size_t length = strcspn(query, "&");
        const char *equals = memchr(query, '=', length);
        size_t name_length = equals == NULL ? length : (size_t)(equals - query);
        struct query_part *part = &parts[used];
        part->name = text->length;
        append_query_text(text, query, name_length);
        part->name_length = text->length - part->name;
        part->value = text->length;
        if (equals != NULL) {
            append_query_text(text, equals + 1, length - name_length - 1);
        }
        part->value_length = text->length - part->value;
        used += length > 0;
        query += length + (query[length] == '&');
    }
    if (used > 0 && text->data != NULL) {
        qsort_r(parts, used, sizeof(*parts), compare_parts, text->data);
    }
    for (size_t i = 0; i < used && text->data != NULL; i++) {
        if (i > 0) {
            buffer_append_byte(&signer->canonical, '&');
        }
        buffer_append(&signer->canonical, text->data + parts[i].name, parts[i].name_length);
        buffer_append_byte(&signer->canonical, '=');
        buffer_append(&signer->canonical, text->data + parts[i].value, parts[i].value_length);
    }
    free(parts);
}

static int compare_headers(const struct signed_header *left, const struct signed_header *right)
{
    int order = strcmp(left->name, right->name);
    return order != 0 ? order : (left->position > right->position) ? 1 : -1;
}

/* Inserts in order: there are few, and most callers bring them sorted. */
static bool add_header(struct aws_signer *signer, const char *name, const char *value)
{
    size_t length = strlen(name);
    if (signer->header_count == HEADERS_MAX || length >= NAME_BYTES_MAX) {
        return false;
    }
    struct signed_header header = {.value = value, .position = signer->header_count};
    for (size_t i = 0; i < length; i++) {
        header.name[i] = (char)tolower((unsigned char)name[i]);
    }
    header.name[length] = '\0';
    uint32_t place = signer->header_count++;
    while (place > 0 && compare_headers(&signer->headers[place - 1], &header) > 0) {
        signer->headers[place] = signer->headers[place - 1];
        place--;
    }
    signer->headers[place] = header;
    return true;
}

/* Without blanks around it, and with runs of them as one. */
static void append_header_value(struct buffer *out, const char *value)
{
    bool blank = false;
    bool begun = false;
    for (; *value != '\0'; value++) {
        if (isspace((unsigned char)*value)) {
            blank = true;
            continue;
        }
        if (blank && begun) {
            buffer_append_byte(out, ' ');
        }
        buffer_append_byte(out, *value);
        blank = false;
        begun = true;
    }
}

static void append_headers(struct aws_signer *signer)
{
    buffer_clear(&signer->names);
    for (uint32_t i = 0; i < signer->header_count; i++) {
        const struct signed_header *header = &signer->headers[i];
        bool same = i > 0 && strcmp(header->name, signer->headers[i - 1].name) == 0;
        if (same) {
            signer->canonical.length--; /* the newline */
            buffer_append_byte(&signer->canonical, ',');
        } else {
            if (i > 0) {
                buffer_append_byte(&signer->names, ';');
            }
            buffer_append_string(&signer->names, header->name);
            buffer_append_string(&signer->canonical, header->name);
            buffer_append_byte(&signer->canonical, ':');
        }
        append_header_value(&signer->canonical, header->value);
        buffer_append_byte(&signer->canonical, '\n');
    }
}

static bool collect_headers(struct aws_signer *signer, const struct aws_sign_request *request)
{
    signer->header_count = 0;
    bool ok = true;
    for (uint32_t i = 0; ok && i < request->header_count; i++) {
        ok = add_header(signer, request->headers[i].name, request->headers[i].value);
    }
    ok = ok && add_header(signer, "host", request->host) &&
         add_header(signer, "x-amz-date", signer->time);
    if (ok && request->credentials->session_token != NULL && !request->token_unsigned) {
        ok = add_header(signer, "x-amz-security-token", request->credentials->session_token);
    }
    if (ok && request->content_sha256) {
        ok = add_header(signer, "x-amz-content-sha256", signer->payload_hash);
    }
    return ok;
}

static void make_canonical(struct aws_signer *signer, const struct aws_sign_request *request)
{
    struct buffer *canonical = &signer->canonical;
    buffer_clear(canonical);
    buffer_append_string(canonical, request->method);
    buffer_append_byte(canonical, '\n');
    append_path(signer, request);
    buffer_append_byte(canonical, '\n');
    append_query(signer, request->query);
    buffer_append_byte(canonical, '\n');
    append_headers(signer);
    buffer_append_byte(canonical, '\n');
    buffer_append(canonical, signer->names.data, signer->names.length);
    buffer_append_byte(canonical, '\n');
    buffer_append_string(canonical, signer->payload_hash);
}

/* ---------------------------------------------------------------- the signature */

static void format_time(int64_t time_ms, char out[17])
{
    int64_t seconds = time_ms / 1000 - (time_ms % 1000 < 0);
    int64_t days = seconds / 86400 - (seconds % 86400 < 0);
    int64_t rest = seconds - days * 86400;
    int64_t year = 0;
    int month = 0;
    int day = 0;
    clock_civil_from_days(days, &year, &month, &day);
    snprintf(out, 17, "%04u%02u%02uT%02u%02u%02uZ", (unsigned)year % 10000, (unsigned)month % 100,
             (unsigned)day % 100, (unsigned)(rest / 3600) % 100, (unsigned)(rest / 60 % 60),
             (unsigned)(rest % 60));
}

static void make_signature(struct aws_signer *signer, const struct aws_sign_request *request,
                           char signature[DIGEST_HEX_BYTES])
{
    char hash[DIGEST_HEX_BYTES];
    unsigned char digest[DIGEST_BYTES];
    hash_hex(signer, signer->canonical.data, signer->canonical.length, hash);
    struct buffer *to_sign = &signer->to_sign;
    buffer_clear(to_sign);
    buffer_append_string(to_sign, "AWS4-HMAC-SHA256\n");
    buffer_append_string(to_sign, signer->time);
    buffer_append_byte(to_sign, '\n');
    buffer_append(to_sign, signer->time, 8);
    buffer_append_byte(to_sign, '/');
    buffer_append_string(to_sign, request->region);
    buffer_append_byte(to_sign, '/');
    buffer_append_string(to_sign, request->service);
    buffer_append_string(to_sign, "/aws4_request\n");
    buffer_append_string(to_sign, hash);
    derive_key(signer, request);
    hmac(signer, NULL, 0, to_sign->data, to_sign->length, digest);
    struct buffer hex = {.data = signature, .capacity = DIGEST_HEX_BYTES};
    buffer_append_hex(&hex, digest, sizeof(digest));
    signature[DIGEST_HEX_BYTES - 1] = '\0';
}

static void make_authorization(struct aws_signer *signer, const struct aws_sign_request *request,
                               const char *signature)
{
    struct buffer *out = &signer->authorization;
    buffer_clear(out);
    buffer_append_string(out, "AWS4-HMAC-SHA256 Credential=");
    buffer_append_string(out, request->credentials->access_key_id);
    buffer_append_byte(out, '/');
    buffer_append(out, signer->time, 8);
    buffer_append_byte(out, '/');
    buffer_append_string(out, request->region);
    buffer_append_byte(out, '/');
    buffer_append_string(out, request->service);
    buffer_append_string(out, "/aws4_request, SignedHeaders=");
    buffer_append(out, signer->names.data, signer->names.length);
    buffer_append_string(out, ", Signature=");
    buffer_append_string(out, signature);
    buffer_string(out);
}

static bool is_header_text(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f) {
            return false;
        }
    }
    return text[0] != '\0';
}

static enum status check_request(const struct aws_signer *signer,
                                 const struct aws_sign_request *request, struct error *error)
{
    const struct aws_credentials *credentials = request->credentials;
    if (credentials == NULL || credentials->access_key_id == NULL ||
        credentials->secret_access_key == NULL) {
        return error_set(error, ERROR_INTERNAL, NULL, "a request is to be signed by nobody");
    }
    if (!is_header_text(credentials->access_key_id) ||
        strlen(credentials->access_key_id) >= sizeof(signer->key_id) ||
        credentials->secret_access_key[0] == '\0' ||
        (credentials->session_token != NULL && !is_header_text(credentials->session_token))) {
        error_set(error, ERROR_CREDENTIALS, credentials->provider,
                  "the access key or session token is empty, too long, or holds blanks, control "
                  "characters or other characters that no header may hold");
        return error_hint(error, "look for a blank or a line break that was copied along");
    }
    if (strlen(request->region) >= sizeof(signer->key_region) ||
        strlen(request->service) >= sizeof(signer->key_service)) {
        return error_set(error, ERROR_INTERNAL, NULL, "the region or service is too long");
    }
    return STATUS_OK;
}

static void list_added(struct aws_signer *signer, const struct aws_sign_request *request,
                       struct aws_signed *out)
{
    uint32_t count = 0;
    out->headers[count++] = (struct http_header){"Authorization", signer->authorization.data};
    out->headers[count++] = (struct http_header){"X-Amz-Date", signer->time};
    if (request->credentials->session_token != NULL) {
        out->headers[count++] =
            (struct http_header){"X-Amz-Security-Token", request->credentials->session_token};
    }
    if (request->content_sha256) {
        out->headers[count++] = (struct http_header){"X-Amz-Content-Sha256", signer->payload_hash};
    }
    out->header_count = count;
}

enum status aws_sign(struct aws_signer *signer, const struct aws_sign_request *request,
                     struct aws_signed *signed_headers, struct error *error)
{
    char signature[DIGEST_HEX_BYTES];
    if (check_request(signer, request, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    format_time(request->time_ms, signer->time);
    if (request->payload_sha256 != NULL) {
        snprintf(signer->payload_hash, sizeof(signer->payload_hash), "%s", request->payload_sha256);
    } else {
        hash_hex(signer, request->payload_length > 0 ? request->payload : "",
                 request->payload_length, signer->payload_hash);
    }
    if (!collect_headers(signer, request)) {
        return error_set(error, ERROR_INTERNAL, NULL, "the request has too many headers to sign");
    }
    make_canonical(signer, request);
    make_signature(signer, request, signature);
    make_authorization(signer, request, signature);
    list_added(signer, request, signed_headers);
    return STATUS_OK;
}

const char *aws_signer_canonical_request(struct aws_signer *signer)
{
    return buffer_string(&signer->canonical);
}

const char *aws_signer_string_to_sign(struct aws_signer *signer)
{
    return buffer_string(&signer->to_sign);
}
