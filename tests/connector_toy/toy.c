/* The test-only connector: asynchronous, nested, without transactions, with a feed; data survives
 * kill -9. */
#include "base/file.h"
#include "connectors/common/registry.h"
#include "toy_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const failpoints[] = {
    "toy.before_append", "toy.after_append", "toy.before_create",     "toy.after_empty",
    "toy.before_apply",  "toy.after_apply",  KEYED_FAILPOINTS("toy"), "toy.before_history",
    "toy.after_history", "toy.before_alter", "toy.after_alter",       NULL,
};

enum { LEASE_MS = 4000, REQUESTS_A_LEASE = 4, IN_FLIGHT_MAX = 16 };

static const struct connector_option uri_options[] = {
    {"lease", OPTION_INTEGER, "4000", "100..600000", false, "milliseconds that a claim holds"},
    {"throttle", OPTION_INTEGER, "0", "0..600000", false, "milliseconds of being too busy"},
    {"batch_rows", OPTION_INTEGER, "500", "1..500", false, "target: the most records of a batch"},
    {"page_rows", OPTION_INTEGER, "1000", "1..100000", false, "source: rows of a page"},
    {"consistency", OPTION_CHOICE, "LOCAL_QUORUM", "ONE|QUORUM|LOCAL_QUORUM", false, "no effect"},
    {"fallback", OPTION_CHOICE, "none", "none|ONE", false, "what is done while it is too busy"},
};

static const struct type_mapping types[] = {
    {"any", VALUE_TEXT, "every kind is kept as it is", "the same", "exact"},
};

static void toy_close(struct database *database)
{
    struct toy_database *self = toy_of(database);
    if (!self) {
        return;
    }
    if (self->log >= 0) {
        close(self->log);
    }
    keyed_room_destroy(&self->keyed);
    free(self->folder);
    free(self->log_path);
    free(self);
}

static enum status open_log(struct toy_database *self, enum open_mode mode, struct error *error)
{
    if (mode == OPEN_SOURCE) {
        self->log = open(self->log_path, O_RDONLY | O_CLOEXEC);
        return self->log >= 0 ? STATUS_OK
                              : error_set_errno(error, ERROR_SOURCE_MISSING, errno, self->folder,
                                                "there is no toy database");
    }
    enum status status = file_make_folder(self->folder, error);
    if (status != STATUS_OK) {
        return status;
    }
    self->log = open(self->log_path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return self->log >= 0 ? STATUS_OK
                          : error_set_errno(error, ERROR_TARGET_MISSING, errno, self->log_path,
                                            "opening the log failed");
}

static enum status toy_open(const struct open_options *options, struct database **database,
                            struct error *error)
{
    const char *folder = options->uri->path;
    if (!folder || !*folder) {
        return error_set(error, ERROR_BAD_VALUE, options->uri->shown, "the URI names no folder");
    }
    struct toy_database *self = calloc(1, sizeof *self);
    if (!self) {
        return error_set(error, ERROR_MEMORY, folder, "no memory to open it");
    }
    self->log = -1;
    keyed_room_init(&self->keyed, &toy_service, options);
    self->folder = strdup(folder);
    if (!self->folder || asprintf(&self->log_path, "%s/data.log", folder) < 0) {
        self->log_path = NULL;
        toy_close(&self->keyed.base);
        return error_set(error, ERROR_MEMORY, folder, "no memory to open it");
    }
    enum status status = open_log(self, options->mode, error);
    if (status != STATUS_OK) {
        toy_close(&self->keyed.base);
        return status;
    }
    *database = &self->keyed.base;
    return STATUS_OK;
}

static enum status toy_identity(struct database *database, struct arena *arena,
                                const char **identity, struct error *error)
{
    struct stat facts;
    if (fstat(toy_of(database)->log, &facts) != 0) {
        return error_set_errno(error, ERROR_SOURCE_READ, errno, toy_of(database)->folder,
                               "stat failed");
    }
    *identity = arena_format(arena, "toy device %llu inode %llu", (unsigned long long)facts.st_dev,
                             (unsigned long long)facts.st_ino);
    return *identity ? STATUS_OK
                     : error_set(error, ERROR_MEMORY, NULL, "no memory for an identity");
}

static enum status open_with_head(const struct open_options *options, struct database **database,
                                  struct error *error);

__attribute__((visibility("default"))) extern const struct connector transhume_connector;
const struct connector transhume_connector = {
    .contract_version = CONNECTOR_CONTRACT_VERSION,
    .name = "toy",
    .title = "Toy (tests only)",
    .uri_help = "toy:DIR",
    .capabilities = CAPABILITY_READS_BY_KEY | CAPABILITY_NESTED | CAPABILITY_FREE_FIELDS |
                    CAPABILITY_MISSING | CAPABILITY_KEY_REQUIRED | CAPABILITY_UNITS |
                    CAPABILITY_ASYNCHRONOUS | CAPABILITY_COUNTS_EXACT,
    .guarantee = GUARANTEE_IDEMPOTENT,
    .options = uri_options,
    .option_count = sizeof uri_options / sizeof *uri_options,
    .types = types,
    .type_count = sizeof types / sizeof *types,
    .failpoints = failpoints,
    .open = open_with_head,
    .close = toy_close,
    .identity = toy_identity,
    .catalog = &toy_catalog,
    .source = &toy_source,
    .target = &toy_target,
    .trial = &keyed_trial,
    .store = &toy_store,
    .feed = &toy_feed,
    .apply = &toy_apply,
    .alter = &toy_alter,
};

static int64_t option_of(const struct uri *uri, const char *name, int64_t preset)
{
    for (uint32_t i = 0; i < uri->parameter_count; i++) {
        if (strcmp(uri->parameters[i].name, name) == 0) {
            return strtoll(uri->parameters[i].value, NULL, 10); /* the range was checked */
        }
    }
    return preset;
}

static enum status open_with_head(const struct open_options *options, struct database **database,
                                  struct error *error)
{
    enum status status = toy_open(options, database, error);
    if (status == STATUS_OK) {
        (*database)->connector = &transhume_connector;
        (*database)->capabilities = transhume_connector.capabilities;
        (*database)->limits = (struct connector_limits){
            .chunks_open_max = 4,
            .batch_rows_max = (uint32_t)option_of(options->uri, "batch_rows", 500)};
        toy_of(*database)->page_rows = (uint32_t)option_of(options->uri, "page_rows", 1000);
        (*database)->lease_ms = option_of(options->uri, "lease", LEASE_MS);
        toy_of(*database)->throttle_ms = option_of(options->uri, "throttle", 0);
        const char *fallback = uri_parameter(options->uri, &transhume_connector, "fallback");
        toy_of(*database)->falls_back = strcmp(fallback, "ONE") == 0;
        toy_of(*database)->request_ms = (*database)->lease_ms / REQUESTS_A_LEASE;
        struct keyed_room *room = keyed_room_of(*database);
        room->timeout_ms = toy_of(*database)->request_ms;
        room->in_flight_max = IN_FLIGHT_MAX;
        room->capacity.units_per_second = options->write_units_per_second_max;
    }
    return status;
}
