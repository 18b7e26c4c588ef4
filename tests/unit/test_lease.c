/* Holders of leases: their text, and who of them is dead. */
#include "base/clock.h"
#include "connectors/common/lease.h"
#include "connectors/contract/report.h"
#include "support.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_20 "abcdefghijklmnopqrst"
#define TEXT_80 TEXT_20 TEXT_20 TEXT_20 TEXT_20

static void a_holder_is_one_line_and_back(void **state)
{
    struct arena *arena = arena_create(0);
    struct ledger_holder made;
    struct ledger_holder read;
    struct error error;
    const char *text;
    (void)state;
    ledger_holder_self(12345, &made);
    assert_int_equal(made.pid, getpid());
    assert_int_equal(made.lease_ms, 12345);
    assert_int_equal(ledger_holder_write(&made, arena, &text, &error), STATUS_OK);
    assert_null(strchr(text, '\n'));
    assert_int_equal(ledger_holder_read(text, &read, &error), STATUS_OK);
    assert_memory_equal(&read, &made, sizeof(made));
    char name[64];
    snprintf(name, sizeof(name), "pid %d on ", (int)getpid());
    assert_memory_equal(read.name, name, strlen(name));
    arena_destroy(arena);
}

/* In a child, whose host it is that gets the name: whoever takes over writes what it read. */
static void a_host_of_any_bytes_is_read_as_it_was_written(void **state)
{
    enum { NAME_BYTES = 64, NOT_ALLOWED = 77, UNLIKE = 1 };
    static const char bytes[] = {'\x01', '\xfc', '\xe2', 'h', '"'};
    (void)state;
    for (size_t kind = 0; kind < sizeof(bytes); kind++) {
        pid_t child = fork();
        if (child == 0) {
            struct ledger_holder made;
            struct ledger_holder read;
            struct error error;
            const char *first;
            const char *second;
            char name[NAME_BYTES];
            struct arena *arena = arena_create(0);
            memset(name, bytes[kind], sizeof(name));
            if (unshare(CLONE_NEWUTS) != 0 || sethostname(name, sizeof(name)) != 0) {
                _exit(NOT_ALLOWED);
            }
            ledger_holder_self(12345, &made);
            bool same = ledger_holder_write(&made, arena, &first, &error) == STATUS_OK &&
                        ledger_holder_read(first, &read, &error) == STATUS_OK &&
                        memcmp(&read, &made, sizeof(made)) == 0 && made.host[0] != '\0' &&
                        ledger_holder_write(&read, arena, &second, &error) == STATUS_OK &&
                        strcmp(first, second) == 0;
            arena_destroy(arena);
            _exit(same ? 0 : UNLIKE);
        }
        int ended = 0;
        assert_int_equal(waitpid(child, &ended, 0), child);
        if (WIFEXITED(ended) && WEXITSTATUS(ended) == NOT_ALLOWED) {
            print_message("who may not name a host can't try other names\n");
            skip();
        }
        assert_int_equal(ended, 0);
    }
}

static void what_is_no_holder_is_refused(void **state)
{
    static const struct {
        const char *text;
        enum error_code code;
    } cases[] = {
        {"", ERROR_LEDGER_INVALID},
        {"[]", ERROR_LEDGER_INVALID},
        {"{\"format\":1}", ERROR_LEDGER_INVALID},
        {"{\"format\":1,\"pid\":0,\"lease_ms\":5}", ERROR_LEDGER_INVALID},
        {"{\"format\":1,\"pid\":7,\"lease_ms\":-5}", ERROR_LEDGER_INVALID},
        {"{\"format\":1,\"pid\":7,\"lease_ms\":5,\"host\":\"" TEXT_80 "\"}", ERROR_LEDGER_INVALID},
        {"{\"format\":1,\"pid\":7,\"lease_ms\":5,\"machine\":\"" TEXT_80 "\"}",
         ERROR_LEDGER_INVALID},
        {"{\"format\":2,\"pid\":7,\"lease_ms\":5}", ERROR_FORMAT_NEWER}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ledger_holder holder;
        struct error error;
        assert_int_equal(ledger_holder_read(cases[i].text, &holder, &error), STATUS_FAILED);
        assert_int_equal(error.code, cases[i].code);
    }
}

static void the_dead_are_known(void **state)
{
    struct ledger_holder holder;
    int pipes[2];
    (void)state;
    ledger_holder_self(1000, &holder);
    assert_false(ledger_holder_is_gone(&holder));
    struct ledger_holder other = holder;
    other.started++; /* an earlier process with this pid */
    assert_true(ledger_holder_is_gone(&other));
    other = holder;
    other.machine[0] = other.machine[0] == '0' ? '1' : '0';
    other.pid = 1 << 30;
    assert_false(ledger_holder_is_gone(&other)); /* nothing is known of other machines */

    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        ledger_holder_self(1000, &holder);
        _exit(write(pipes[1], &holder, sizeof(holder)) == (ssize_t)sizeof(holder) && pause() == 0);
    }
    assert_int_equal(read(pipes[0], &holder, sizeof(holder)), sizeof(holder));
    assert_int_equal(holder.pid, child);
    assert_false(ledger_holder_is_gone(&holder));
    kill(child, SIGSTOP);
    assert_false(ledger_holder_is_gone(&holder)); /* a stopped process is alive */
    kill(child, SIGKILL);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_true(ledger_holder_is_gone(&holder)); /* nobody has asked how it ended */
    waitpid(child, NULL, 0);
    assert_true(ledger_holder_is_gone(&holder));
    close(pipes[0]);
    close(pipes[1]);
}

static void a_request_must_fit_the_lease(void **state)
{
    struct database database = {.lease_ms = 0};
    struct error error;
    (void)state;
    assert_int_equal(lease_check(&database, 1 << 30, &error), STATUS_OK);
    database.lease_ms = 60000;
    assert_int_equal(lease_check(&database, 0, &error), STATUS_FAILED); /* not claimed yet */
    lease_extend(&database, lease_clock_ms());
    assert_int_equal(lease_check(&database, 30000, &error), STATUS_OK);
    assert_int_equal(lease_check(&database, 60001, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_LEASE_SHORT);
    assert_int_equal(error.class, ERROR_CLASS_RETRY);
    lease_end(&database);
    assert_int_equal(lease_check(&database, 1, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
}

static void *renew_late(void *argument)
{
    struct database *database = argument;
    clock_sleep_ms(50);
    lease_extend(database, lease_clock_ms());
    return NULL;
}

static void a_late_renewal_is_waited_for(void **state)
{
    struct database database = {.lease_ms = 60000};
    struct error error;
    pthread_t thread;
    (void)state;
    assert_int_equal(lease_wait(&database, 20, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_LEASE_SHORT);
    assert_int_equal(pthread_create(&thread, NULL, renew_late, &database), 0);
    assert_int_equal(lease_wait(&database, 30000, &error), STATUS_OK);
    pthread_join(thread, NULL);
    lease_end(&database);
    int64_t before_ms = clock_monotonic_ms();
    assert_int_equal(lease_wait(&database, 30000, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    assert_true(clock_monotonic_ms() - before_ms < 10000);
}

static void a_spell_of_throttling(void **state)
{
    struct database database = {.lease_ms = 0};
    (void)state;
    assert_int_equal(report_throttled_for_ms(&database, clock_monotonic_ms()), 0);
    report_throttled(&database);
    int64_t since = atomic_load(&database.report.throttled_since_ms);
    assert_int_equal(report_throttled_for_ms(&database, since + 4000), 4001);
    assert_int_equal(report_throttled_for_ms(&database, since + REPORT_THROTTLE_SPELL_MS + 1000),
                     0);
    /* long ago: the next one begins a new spell */
    atomic_store(&database.report.throttled_last_ms, since - 2 * REPORT_THROTTLE_SPELL_MS);
    atomic_store(&database.report.throttled_since_ms, since - 90000);
    report_throttled(&database);
    assert_true(atomic_load(&database.report.throttled_since_ms) >= since);
    assert_int_equal(atomic_load(&database.report.throttle_count), 2);
    report_units(&database, 1.5);
    report_units(&database, 0.25);
    assert_int_equal(atomic_load(&database.report.milliunits), 1750);
}

static void the_weakest_connection_counts(void **state)
{
    struct database database = {0};
    enum link_security security;
    (void)state;
    assert_null(report_weakest_link(&database, &security));
    for (int weaker = LINK_SECURITY_COUNT - 1; weaker >= 0; weaker--) {
        report_link(&database, (enum link_security)weaker, "TLSv1.2", NULL);
        assert_non_null(report_weakest_link(&database, &security));
        assert_int_equal(security, weaker);
    }
    report_link(&database, LINK_PLAINTEXT, "later", "one");
    report_link(&database, LINK_LOCAL_SOCKET, NULL, NULL);
    const struct database_link *link = report_weakest_link(&database, &security);
    assert_int_equal(security, LINK_PLAINTEXT);
    assert_string_equal(link->protocol, "TLSv1.2");
    assert_string_equal(link->cipher, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_holder_is_one_line_and_back),
        cmocka_unit_test(a_host_of_any_bytes_is_read_as_it_was_written),
        cmocka_unit_test(what_is_no_holder_is_refused),
        cmocka_unit_test(the_dead_are_known),
        cmocka_unit_test(a_request_must_fit_the_lease),
        cmocka_unit_test(a_late_renewal_is_waited_for),
        cmocka_unit_test(a_spell_of_throttling),
        cmocka_unit_test(the_weakest_connection_counts),
    };
    return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
