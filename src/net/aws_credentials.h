/* Who signs requests to AWS: the chain of providers that all AWS programs ask, in AWS's order. */
#ifndef TRANSHUME_NET_AWS_CREDENTIALS_H
#define TRANSHUME_NET_AWS_CREDENTIALS_H

#include "base/error.h"
#include "net/aws_config.h"
#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
/*
 * The first of these that is set up is taken; one that is set up and fails is an error, not a
 * reason to go on (as AWS's own programs have it):
 *   1 explicit keys
 *   2 AWS_ACCESS_KEY_ID, unless a profile is named explicitly
 *   3 AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN, likewise
 *   4 the profile (the shared files)
 *     a role_arn with source_profile, credential_source or web_identity_token_file
 *     b IAM Identity Center (SSO), with the token that `aws sso login` has left
 *     c static keys
 *     d credential_process
 *   5 container (ECS, EKS)
 *   6 EC2 instance metadata, v2 only
 * A profile that only has `login_session` is refused with the hint to use credential_process with
 * `aws configure export-credentials`.
 */
/* clang-format on */
struct aws_credentials {
    char *access_key_id; /* NULL: nothing yet */
    char *secret_access_key;
    char *session_token; /* NULL: none */
    int64_t expires_ms;  /* since 1970; INT64_MAX: never */
    char provider[64];   /* "environment", "profile shop", "instance metadata" …: for messages */
    uint64_t generation; /* grows with each refresh; the signer's key cache goes by it */
};

/* Wipes and frees the texts. Begin with a zeroed struct. */
void aws_credentials_clear(struct aws_credentials *credentials);

struct aws_credential_chain;
struct aws_clock;

struct aws_credential_options {
    const struct aws_config *config; /* borrowed: outlives the chain */
    const char *access_key_id;       /* explicit keys; NULL: none */
    const char *secret_access_key;
    const char *session_token;
    const char *region;        /* for STS; NULL: the global endpoint */
    int64_t timeout_ms;        /* for STS, containers and credential_process; 0: 30,000 */
    const char *container_url; /* for tests: instead of http://169.254.170.2; NULL */
    struct aws_clock *clock;   /* borrowed: what requests learn of the server's time, and the
                                  providers too; NULL: a clock of the chain's own */
};

/* Makes the chain without asking anybody yet. ERROR_CREDENTIALS: settings that contradict each
 * other. */
enum status aws_credential_chain_create(const struct aws_credential_options *options,
                                        struct aws_credential_chain **chain,
                                        struct error *error) MUST_USE;
void aws_credential_chain_destroy(struct aws_credential_chain *chain); /* NULL is fine */

/*
 * Any thread; `now_ms` is aws_clock_now_ms. Brings `*credentials` (the caller's own, zeroed before
 * its first use, cleared after its last) up to date; costs a lock and a comparison while nothing
 * has changed, so it is called for every request. When less than 15 minutes are left one thread
 * asks the provider anew, while the others go on with the old ones; if that fails they stay too,
 * with a warning in the log, and the next attempt is 5 to 60 s later. Only where there are none, or
 * they have expired, all wait: for the network, the process and at most two minutes. STATUS_FAILED,
 * ERROR_CREDENTIALS: nobody has any (what was looked at is said), or the provider failed (class
 * RETRY if that may pass); ERROR_AWS_CONFIG; ERROR_NETWORK … of a request.
 */
enum status aws_credentials_get(struct aws_credential_chain *chain, int64_t now_ms,
                                struct aws_credentials *credentials, struct error *error) MUST_USE;

/* Any thread. The server said that these have expired (ExpiredTokenException, UnrecognizedClient…):
 * the next get asks the provider anew, unless that happened since `generation`. False: they are
 * static, a refresh can bring nothing. */
bool aws_credentials_expired(struct aws_credential_chain *chain, uint64_t generation);

#endif
