/* Clocks that differ: learning the server's time from its answers. */
#include "net/aws_sign.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include <stdio.h>

int64_t aws_clock_now_ms(const struct aws_clock *clock)
{
    return clock_utc_us() / 1000 + atomic_load_explicit(&clock->offset_ms, memory_order_relaxed);
}

static int64_t magnitude(int64_t value)
{
    return value < 0 ? -value : value;
}

/* "1h 02m behind": ours, seen from the server. */
static void describe_difference(int64_t server_ahead_ms, char *out, size_t capacity)
{
    char amount[32];
    text_human_seconds((double)magnitude(server_ahead_ms) / 1000, amount, sizeof(amount));
    snprintf(out, capacity, "%s %s", amount, server_ahead_ms > 0 ? "behind" : "ahead of");
}

bool aws_clock_learn(struct aws_clock *clock, const struct http_response *response)
{
    int64_t server_ms = 0;
    int64_t signed_ms = aws_clock_now_ms(clock);
    if (!http_response_date(response, &server_ms) ||
        magnitude(server_ms - signed_ms) <= AWS_CLOCK_SKEW_MS_MAX) {
        return false;
    }
    int64_t offset_ms = server_ms - clock_utc_us() / 1000;
    atomic_store_explicit(&clock->offset_ms, offset_ms, memory_order_relaxed);
    char difference[64];
    describe_difference(offset_ms, difference, sizeof(difference));
    log_write(LOG_WARNING,
              "this machine's clock is %s the server's: requests are signed with the server's "
              "time from now on",
              difference);
    return true;
}

enum status aws_clock_check(const struct http_response *response, const char *object,
                            struct error *error)
{
    int64_t server_ms = 0;
    if (!http_response_date(response, &server_ms)) {
        return STATUS_OK;
    }
    int64_t ahead_ms = server_ms - clock_utc_us() / 1000;
    if (magnitude(ahead_ms) <= AWS_CLOCK_SKEW_MS_MAX) {
        return STATUS_OK;
    }
    char difference[64];
    char server[32];
    describe_difference(ahead_ms, difference, sizeof(difference));
    clock_format_utc(server_ms * 1000, server, sizeof(server));
    error_set(error, ERROR_CLOCK_SKEW, object,
              "this machine's clock is %s the server's, which says %s", difference, server);
    return error_hint(error, "set the clock right (timedatectl set-ntp true), then run it again");
}
