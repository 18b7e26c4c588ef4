/* The chain: who is asked in which order, and when again. */
#include "net/aws_credentials.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"
#include "net/aws_provider.h"
#include "net/aws_sign.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    REFRESH_MS = 15 * 60 * 1000, /* less is left: one thread asks for new ones */
    PAUSE_MS_MIN = 5000,         /* between attempts while there are valid ones */
    PAUSE_MS_MAX = 60000,
    WAIT_MS = 120000, /* for another thread's attempt */
    TIMEOUT_MS = 30000
};

struct aws_credential_chain {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    const struct aws_config *config;
    struct aws_credential_options options; /* its texts are in `arena` */
    struct arena *arena;
    struct aws_credentials current;
    struct aws_clock clock;  /* where nobody shares one */
    bool fixed;              /* asking again brings nothing */
    bool refused;            /* the server said that `current` has expired */
    bool asking;             /* a thread is at it */
    int64_t next_attempt_ms; /* by the callers' clock; not before, while there are valid ones */
    uint64_t failures;       /* attempts that failed, so that waiters know */
    struct error failure;    /* the last one's */
};

void aws_credentials_clear(struct aws_credentials *credentials)
{
    char *texts[] = {credentials->access_key_id, credentials->secret_access_key,
                     credentials->session_token};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i] != NULL) {
            secret_wipe(texts[i], strlen(texts[i]));
            free(texts[i]);
        }
    }
    memset(credentials, 0, sizeof(*credentials));
}

static char *copy_or_null(const char *text)
{
    return text == NULL ? NULL : memory_copy_string(text);
}

static void copy_credentials(const struct aws_credentials *from, struct aws_credentials *to)
{
    aws_credentials_clear(to);
    to->access_key_id = copy_or_null(from->access_key_id);
    to->secret_access_key = copy_or_null(from->secret_access_key);
    to->session_token = copy_or_null(from->session_token);
    to->expires_ms = from->expires_ms;
    to->generation = from->generation;
    memcpy(to->provider, from->provider, sizeof(to->provider));
}

/* ---------------------------------------------------------------- making a chain */

static void copy_options(struct aws_credential_chain *chain,
                         const struct aws_credential_options *options)
{
    const char *const from[] = {options->access_key_id, options->secret_access_key,
                                options->session_token, options->region, options->container_url};
    const char **to[] = {&chain->options.access_key_id, &chain->options.secret_access_key,
                         &chain->options.session_token, &chain->options.region,
                         &chain->options.container_url};
    for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
        *to[i] = from[i] == NULL ? NULL : arena_copy_string(chain->arena, from[i]);
    }
    chain->options.clock = options->clock != NULL ? options->clock : &chain->clock;
    chain->options.timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS;
}

enum status aws_credential_chain_create(const struct aws_credential_options *options,
                                        struct aws_credential_chain **out, struct error *error)
{
    *out = NULL;
    if ((options->access_key_id == NULL) != (options->secret_access_key == NULL) ||
        (options->session_token != NULL && options->access_key_id == NULL)) {
        return error_set(error, ERROR_CREDENTIALS, NULL,
                         "an explicit access key id and secret access key go together");
    }
    struct aws_credential_chain *chain = memory_allocate_zeroed(1, sizeof(*chain));
    pthread_mutex_init(&chain->mutex, NULL);
    condition_init(&chain->changed);
    chain->config = options->config;
    chain->arena = arena_create(4096);
    copy_options(chain, options);
    *out = chain;
    return STATUS_OK;
}

void aws_credential_chain_destroy(struct aws_credential_chain *chain)
{
    if (chain == NULL) {
        return;
    }
    aws_credentials_clear(&chain->current);
    const char *secrets[] = {chain->options.secret_access_key, chain->options.session_token};
    for (size_t i = 0; i < 2; i++) {
        if (secrets[i] != NULL) {
            secret_wipe((char *)(uintptr_t)secrets[i], strlen(secrets[i]));
        }
    }
    arena_destroy(chain->arena);
    (void)pthread_cond_destroy(&chain->changed);
    (void)pthread_mutex_destroy(&chain->mutex);
    free(chain);
}

/* ---------------------------------------------------------------- asking */

static enum status ask_web_identity(struct aws_asking *asking, struct aws_credentials *credentials,
                                    struct error *error)
{
    const struct aws_config *config = asking->config;
    struct aws_role role = {.token_file =
                                aws_config_environment(config, "AWS_WEB_IDENTITY_TOKEN_FILE"),
                            .arn = aws_config_environment(config, "AWS_ROLE_ARN"),
                            .session_name = aws_config_environment(config, "AWS_ROLE_SESSION_NAME"),
                            .provider = "the web identity"};
    if (role.token_file == NULL) {
        aws_asking_note(asking, "AWS_WEB_IDENTITY_TOKEN_FILE is not set");
        return STATUS_END;
    }
    if (role.arn == NULL) {
        error_set(error, ERROR_CREDENTIALS, "the environment",
                  "AWS_WEB_IDENTITY_TOKEN_FILE is set, AWS_ROLE_ARN is not");
        return error_hint(error, "set both, or neither to have a profile's");
    }
    return aws_provider_assume_role(asking, &role, credentials, error);
}

static enum status nobody(struct aws_asking *asking, struct error *error)
{
    error_set(error, ERROR_CREDENTIALS, "AWS", "nobody has credentials: %s",
              buffer_string(&asking->looked_at));
    return error_hint(
        error, "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; an emulator "
               "takes any");
}

/* The chain itself. `*fixed`: what it found never changes. */
static enum status ask_in_order(struct aws_asking *asking, struct aws_credentials *credentials,
                                bool *fixed, struct error *error)
{
    const struct aws_credential_options *options = asking->options;
    *fixed = true;
    if (options->access_key_id != NULL) {
        return aws_credentials_fill(credentials, "the options", options->access_key_id,
                                    options->secret_access_key, options->session_token, INT64_MAX,
                                    error);
    }
    enum status status = STATUS_END;
    if (!aws_config_profile_is_explicit(asking->config)) {
        status = aws_provider_environment(asking, credentials, error);
        if (status != STATUS_END) {
            return status;
        }
        *fixed = false;
        status = ask_web_identity(asking, credentials, error);
    }
    *fixed = false;
    if (status == STATUS_END) {
        status = aws_provider_profile(asking, credentials, error);
        *fixed = strncmp(credentials->provider, "profile ", 8) == 0;
    }
    if (status == STATUS_END) {
        status = aws_provider_container(asking, credentials, error);
    }
    if (status == STATUS_END) {
        status = aws_provider_instance(asking, credentials, error);
    }
    return status == STATUS_END ? nobody(asking, error) : status;
}

/* One round, without the lock. */
static enum status aws_credentials_ask(struct aws_credential_chain *chain,
                                       struct aws_credentials *credentials, bool *fixed,
                                       struct error *error)
{
    struct aws_asking asking = {.config = chain->config,
                                .options = &chain->options,
                                .timeout_ms = chain->options.timeout_ms,
                                .clock = chain->options.clock,
                                .arena = arena_create(0)};
    enum status status = ask_in_order(&asking, credentials, fixed, error);
    http_client_destroy(asking.client);
    buffer_free(&asking.looked_at);
    arena_destroy(asking.arena);
    if (status != STATUS_OK) {
        aws_credentials_clear(credentials);
    }
    return status;
}

/* ---------------------------------------------------------------- keeping them fresh */

static int64_t pause_before_next(int64_t left_ms)
{
    int64_t pause_ms = left_ms / 10;
    return pause_ms < PAUSE_MS_MIN   ? PAUSE_MS_MIN
           : pause_ms > PAUSE_MS_MAX ? PAUSE_MS_MAX
                                     : pause_ms;
}

static int64_t left(const struct aws_credential_chain *chain, int64_t now_ms)
{
    if (chain->current.access_key_id == NULL || chain->refused) {
        return 0;
    }
    return chain->current.expires_ms == INT64_MAX ? INT64_MAX : chain->current.expires_ms - now_ms;
}

static int64_t clock_offset(const struct aws_credential_chain *chain)
{
    return atomic_load_explicit(&chain->options.clock->offset_ms, memory_order_relaxed);
}

/* With the lock, which is let go while asking. `*now` goes by what an answer says of the time.
 */
static enum status refresh(struct aws_credential_chain *chain, int64_t *now, struct error *error)
{
    int64_t offset_ms = clock_offset(chain);
    struct aws_credentials fresh = {0};
    struct error failure = {0};
    bool fixed = false;
    chain->asking = true;
    pthread_mutex_unlock(&chain->mutex);
    enum status status = aws_credentials_ask(chain, &fresh, &fixed, &failure);
    pthread_mutex_lock(&chain->mutex);
    chain->asking = false;
    int64_t now_ms = *now += clock_offset(chain) - offset_ms;
    if (status == STATUS_OK && fresh.expires_ms <= now_ms) {
        status = error_set(&failure, ERROR_CREDENTIALS, fresh.provider,
                           "the credentials that it gives have expired already");
        failure.class = fixed ? ERROR_CLASS_STOP : ERROR_CLASS_RETRY;
        aws_credentials_clear(&fresh);
    }
    if (status == STATUS_OK) {
        fresh.generation = chain->current.generation + 1;
        bool first = chain->current.access_key_id == NULL;
        aws_credentials_clear(&chain->current);
        chain->current = fresh;
        chain->fixed = fixed;
        chain->refused = false;
        log_write(LOG_DEBUG, "%s AWS credentials of %s", first ? "using" : "refreshed the",
                  chain->current.provider);
    } else {
        chain->failures++;
        chain->failure = failure;
        error_copy(error, &failure);
    }
    int64_t left_ms = left(chain, now_ms);
    chain->next_attempt_ms = now_ms + pause_before_next(left_ms);
    if (status != STATUS_OK && left_ms > 0) {
        log_write(LOG_WARNING,
                  "AWS credentials could not be refreshed, the old ones are good for %lld more "
                  "seconds: %s",
                  (long long)(left_ms / 1000), failure.message);
    }
    pthread_cond_broadcast(&chain->changed);
    return status;
}

/* With the lock: waits for the thread that is asking. */
static enum status wait_for_other(struct aws_credential_chain *chain, struct error *error)
{
    uint64_t failures = chain->failures;
    int64_t until_ns = clock_monotonic_ns() + WAIT_MS * INT64_C(1000000);
    while (chain->asking) {
        if (!condition_wait_until(&chain->changed, &chain->mutex, until_ns) && chain->asking) {
            error_set(error, ERROR_CREDENTIALS, "AWS", "no credentials came in time");
            error->class = ERROR_CLASS_RETRY;
            return STATUS_FAILED;
        }
    }
    if (chain->failures != failures) {
        return error_copy(error, &chain->failure);
    }
    return STATUS_OK;
}

static enum status bring_up_to_date(struct aws_credential_chain *chain, int64_t now_ms,
                                    struct error *error)
{
    int64_t left_ms = left(chain, now_ms);
    if (left_ms > REFRESH_MS) {
        return STATUS_OK;
    }
    /* the clock may have been set back since */
    int64_t pause_ms = chain->next_attempt_ms - now_ms;
    bool is_early = pause_ms > 0 && pause_ms <= PAUSE_MS_MAX;
    if (left_ms > 0 && (chain->asking || chain->fixed || is_early)) {
        return STATUS_OK; /* good enough for now */
    }
    if (chain->asking) {
        return wait_for_other(chain, error);
    }
    enum status status = refresh(chain, &now_ms, error);
    return left(chain, now_ms) > 0 ? STATUS_OK : status;
}

enum status aws_credentials_get(struct aws_credential_chain *chain, int64_t now_ms,
                                struct aws_credentials *credentials, struct error *error)
{
    pthread_mutex_lock(&chain->mutex);
    enum status status = bring_up_to_date(chain, now_ms, error);
    if (status == STATUS_OK && (credentials->access_key_id == NULL ||
                                credentials->generation != chain->current.generation)) {
        copy_credentials(&chain->current, credentials);
    }
    pthread_mutex_unlock(&chain->mutex);
    return status;
}

bool aws_credentials_expired(struct aws_credential_chain *chain, uint64_t generation)
{
    pthread_mutex_lock(&chain->mutex);
    bool can_change = !chain->fixed;
    if (can_change && chain->current.generation == generation) {
        chain->refused = true;
    }
    pthread_mutex_unlock(&chain->mutex);
    return can_change;
}
