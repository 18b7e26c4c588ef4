/* The providers of credentials: what each file of them gives, and what they share. */
#ifndef TRANSHUME_NET_AWS_PROVIDER_H
#define TRANSHUME_NET_AWS_PROVIDER_H

#include "base/arena.h"
#include "base/buffer.h"
#include "net/aws_config_internal.h"
#include "net/aws_credentials.h"
#include "net/aws_sign.h"
#include "net/http.h"

enum { AWS_ANSWER_BYTES_MAX = 256 * 1024 };

/* One round of asking; on one thread. */
struct aws_asking {
    const struct aws_config *config;
    const struct aws_credential_options *options;
    int64_t timeout_ms;
    struct arena *arena;
    struct http_client *client; /* made when first needed */
    struct buffer looked_at;    /* what had nothing, for the message at the end */
    struct aws_clock *clock;    /* shared with requests */
};

/*
 * Each provider: STATUS_OK, `credentials` (empty before) is filled; STATUS_END, it is not set up
 * (and `looked_at` says so); STATUS_FAILED, it is set up and failed.
 */
enum status aws_provider_profile(struct aws_asking *asking, struct aws_credentials *credentials,
                                 struct error *error) MUST_USE;
enum status aws_provider_sso(struct aws_asking *asking, const char *profile,
                             struct aws_credentials *credentials, struct error *error) MUST_USE;
enum status aws_provider_process(struct aws_asking *asking, const char *profile,
                                 const char *command, struct aws_credentials *credentials,
                                 struct error *error) MUST_USE;
enum status aws_provider_environment(struct aws_asking *asking, struct aws_credentials *credentials,
                                     struct error *error) MUST_USE;
enum status aws_provider_container(struct aws_asking *asking, struct aws_credentials *credentials,
                                   struct error *error) MUST_USE;
enum status aws_provider_instance(struct aws_asking *asking, struct aws_credentials *credentials,
                                  struct error *error) MUST_USE;

/* A role that is taken on through STS. Texts that are not set are NULL. */
struct aws_role {
    const char *arn;
    const char *session_name;
    const char *external_id;
    const char *duration_seconds;
    const char *token_file; /* of a web identity; NULL: signed by `source` */
    const struct aws_credentials *source;
    const char *provider; /* how it is called in messages */
};
enum status aws_provider_assume_role(struct aws_asking *asking, const struct aws_role *role,
                                     struct aws_credentials *credentials,
                                     struct error *error) MUST_USE;

/* ---------------------------------------------------------------- shared */

/* Adds to what had nothing: "AWS_ACCESS_KEY_ID is not set". */
void aws_asking_note(struct aws_asking *asking, const char *format, ...) PRINTF_LIKE(2, 3);
/* Sends, up to `attempts` times while the network or the server (5xx, 429) fails. STATUS_OK: an
 * answer, to be given to aws_answer_destroy. */
enum status aws_asking_send(struct aws_asking *asking, const struct http_request *request,
                            int attempts, struct http_response **response,
                            struct error *error) MUST_USE;
/* Now, as AWS's servers have it; and learning that from an answer of one. */
int64_t aws_asking_now_ms(const struct aws_asking *asking);
void aws_asking_learn(struct aws_asking *asking, const struct http_response *response);
/* Wipes the body first. NULL is fine. */
void aws_answer_destroy(struct http_response *response);

/* Copies the texts and registers them as secrets; `token` NULL or empty: none. ERROR_CREDENTIALS
 * when a key is missing. */
enum status aws_credentials_fill(struct aws_credentials *credentials, const char *provider,
                                 const char *key_id, const char *secret, const char *token,
                                 int64_t expires_ms, struct error *error) MUST_USE;
/* From JSON as containers, instances and processes give it: AccessKeyId, SecretAccessKey,
 * `token_name`, Expiration. `version` > 0: its Version must be that. */
enum status aws_credentials_from_json(struct aws_credentials *credentials, const char *provider,
                                      const char *token_name, int version, const char *bytes,
                                      size_t length, struct error *error) MUST_USE;
/* "2026-01-31T23:59:59Z", with fractions, with +hh:mm; milliseconds since 1970. */
bool aws_parse_time(const char *text, int64_t *utc_ms);
/* Visible characters of ASCII alone, at least one: what a token may consist of, and a header take.
 */
bool aws_is_word(const char *bytes, size_t length);
/* A text file (a token) without white space at its ends, in the arena. */
enum status aws_read_token(const char *path, const char *what, struct arena *arena,
                           const char **token, struct error *error) MUST_USE;

#endif
