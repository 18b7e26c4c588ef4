/* The settings of a URI: cassandra://USER:PASSWORD@HOST,HOST:PORT/KEYSPACE?options. */
#include "connectors/cassandra/options.h"

#include "base/retry.h"
#include "base/text.h"
#include "connectors/cassandra/protocol/cql_bundle.h"
#include "connectors/keyed/opening.h"
#include "connectors/sql/link.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct connector_option cassandra_options[CASSANDRA_OPTION_COUNT] = {
    {"contacts", OPTION_TEXT, NULL, NULL, false,
     "Further nodes to ask for the others: HOST[:PORT],HOST[:PORT]."},
    {"dc", OPTION_TEXT, NULL, NULL, false,
     "The local data centre; else that of the first node that answers."},
    {"bundle", OPTION_TEXT, NULL, NULL, false,
     "DataStax Astra's secure connect bundle (a zip file), instead of a host."},
    {"sslmode", OPTION_CHOICE, NULL, "disable|require|verify-full", false,
     "Default: verify-full, and disable for loopback."},
    {"sslrootcert", OPTION_TEXT, NULL, NULL, false,
     "PEM certificates of trusted authorities; default: the system's."},
    {"sslcert", OPTION_TEXT, NULL, NULL, false, "The client's certificate (PEM)."},
    {"sslkey", OPTION_TEXT, NULL, NULL, false, "The client's private key (PEM)."},
    {"protocol", OPTION_INTEGER, "5", "3..5", false, "The newest protocol version to speak."},
    {"compression", OPTION_CHOICE, "none", "none|lz4", false, "Of requests and answers."},
    {"consistency", OPTION_CHOICE, "LOCAL_QUORUM",
     "ANY|ONE|TWO|THREE|QUORUM|ALL|LOCAL_QUORUM|EACH_QUORUM|LOCAL_ONE", false,
     "Of reads and writes; ANY is of writes, and reads are at ONE."},
    {"fallback", OPTION_CHOICE, "none", "none|ONE|LOCAL_ONE|TWO|QUORUM|LOCAL_QUORUM", false,
     "Consistency to fall back to when too few replicas are alive; each use is counted."},
    {"retries", OPTION_INTEGER, NULL, "0..1000", false,
     "Patience with what fails in passing: so many tries of --timeout each, and the waits between "
     "them. Default: four times --timeout."},
    {"retry_delay", OPTION_TEXT, NULL, NULL, false,
     "Seconds of the first wait that `retries` counts with (0.05); each is twice the one before, 20 "
     "at most."},
    {"create", OPTION_BOOLEAN, "false", NULL, false,
     "Target: make the keyspace if it is not there."},
    {"replication", OPTION_TEXT, "1", NULL, false,
     "Of a keyspace that is made: a number of copies, or DC:NUMBER,DC:NUMBER."},
    {"connections", OPTION_INTEGER, "256", "1..8192", false,
     "Most requests of a writer under way."},
    {"batch_rows", OPTION_INTEGER, "32", "1..1000", false,
     "Target: most records of one partition that share a request."},
    {"batch_bytes", OPTION_BYTES, "4KiB", "1KiB..1MiB", false,
     "Target: most bytes of such a request; servers warn from 5 KiB on."},
    {"counters", OPTION_CHOICE, "refuse", "refuse|absent", false,
     "Target: tables of counters are refused, or get the rows that are absent."},
    {"page_rows", OPTION_INTEGER, "1000", "10..100000", false, "Source: rows a page."},
    {"times", OPTION_BOOLEAN, "false", NULL, false,
     "Source: read when each cell was written and how long it lives, and keep both."},
    {"lease", OPTION_INTEGER, "60", "1..3600", false,
     "Target: seconds until a claim on a run expires; at least twice --timeout."},
};

/* ---------------------------------------------------------------- nodes */

enum { CONTACTS_MAX = 32 };

static enum status read_nodes(struct cassandra *self, struct error *error)
{
    struct keyed_place places[CONTACTS_MAX];
    struct cql_contact *contacts =
        arena_allocate_zeroed(self->keyed.arena, CONTACTS_MAX, sizeof(*contacts));
    uint32_t count = 0;
    if (!keyed_hosts_read(&self->keyed, places, CONTACTS_MAX, &count)) {
        return keyed_refuse_option(&self->keyed, "the hosts are written HOST,HOST:PORT", error);
    }
    if (!keyed_places_read(keyed_option(&self->keyed, "contacts"), self->keyed.arena, places,
                           CONTACTS_MAX, &count)) {
        return keyed_refuse_option(
            &self->keyed, "contacts is written HOST[:PORT],HOST[:PORT], 32 at most", error);
    }
    if (count == 0 && keyed_option(&self->keyed, "bundle") == NULL) {
        places[count++] = (struct keyed_place){"127.0.0.1", 0};
    }
    for (uint32_t at = 0; at < count; at++) {
        contacts[at] = (struct cql_contact){places[at].host, places[at].port};
    }
    self->options.contacts = contacts;
    self->options.contact_count = count;
    self->options.port = self->keyed.uri->port;
    self->options.local_dc = keyed_option(&self->keyed, "dc");
    return STATUS_OK;
}

/* ---------------------------------------------------------------- TLS */

static bool all_are_local(const struct cassandra *self)
{
    bool local = true;
    for (size_t at = 0; at < self->options.contact_count; at++) {
        local = local && sql_is_local(self->options.contacts[at].host);
    }
    return local;
}

static enum status read_security(struct cassandra *self, struct error *error)
{
    const char *mode = keyed_option(&self->keyed, "sslmode");
    bool plaintext = mode != NULL ? strcmp(mode, "disable") == 0 : all_are_local(self);
    const char *bundle = keyed_option(&self->keyed, "bundle");
    if (bundle != NULL) {
        enum status status =
            cql_bundle_open(bundle, self->keyed.room.timeout_ms, &self->bundle, error);
        self->options.bundle = self->bundle;
        return status;
    }
    self->options.plaintext_allowed = mode != NULL && plaintext;
    if (plaintext) {
        return STATUS_OK;
    }
    const struct stream_tls_options tls = {
        .ca_file = keyed_option(&self->keyed, "sslrootcert"),
        .certificate_file = keyed_option(&self->keyed, "sslcert"),
        .key_file = keyed_option(&self->keyed, "sslkey"),
        .verify =
            mode != NULL && strcmp(mode, "require") == 0 ? STREAM_VERIFY_NONE : STREAM_VERIFY_PEER};
    if (stream_tls_create(&tls, &self->tls, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    self->options.tls = self->tls;
    return STATUS_OK;
}

static void read_login(struct cassandra *self)
{
    const char *password = getenv("CASSANDRA_PASSWORD");
    const char *user = self->keyed.uri->user;
    self->options.user = user != NULL && user[0] != '\0' ? user : NULL;
    self->options.password =
        self->keyed.uri->password != NULL ? self->keyed.uri->password : password;
}

/* ---------------------------------------------------------------- what is written how */

static bool is_name(const char *text, size_t length)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-. ";
    size_t good = 0;
    while (good < length && strchr(letters, text[good]) != NULL) {
        good++;
    }
    return length > 0 && good == length;
}

/* "3" or "dc1:3,dc2:2", as CQL has it. NULL: it is neither. */
static const char *read_replication(struct arena *arena, const char *text)
{
    uint64_t copies = 0;
    struct buffer out = {0};
    const char *made = NULL;
    if (text_to_uint64(text, strlen(text), &copies) == STATUS_OK && copies > 0) {
        return arena_format(arena, "{'class': 'SimpleStrategy', 'replication_factor': %s}", text);
    }
    buffer_append_string(&out, "{'class': 'NetworkTopologyStrategy'");
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        const char *colon = memchr(text, ':', length);
        if (colon == NULL || !is_name(text, (size_t)(colon - text)) ||
            text_to_uint64(colon + 1, length - (size_t)(colon - text) - 1, &copies) != STATUS_OK) {
            goto out;
        }
        buffer_format(&out, ", '%.*s': %.*s", (int)(colon - text), text,
                      (int)(length - (size_t)(colon - text) - 1), colon + 1);
        text += length + (text[length] == ',');
    }
    buffer_append_byte(&out, '}');
    made = arena_copy_string(arena, buffer_string(&out));
out:
    buffer_free(&out);
    return made;
}

/* "2" or "0.5" seconds. False: it is none. */
static bool read_seconds(const char *text, int64_t *ms)
{
    enum { SECONDS_MAX = 3600 };
    char *end = NULL;
    double seconds = strtod(text, &end);
    *ms = (int64_t)(seconds * 1000);
    return strspn(text, "0123456789.") == strlen(text) && *end == '\0' && end > text &&
           seconds <= SECONDS_MAX;
}

static enum status read_patience(struct cassandra *self, struct error *error)
{
    const char *retries = keyed_option(&self->keyed, "retries");
    const char *delay = keyed_option(&self->keyed, "retry_delay");
    uint64_t count =
        retries != NULL ? keyed_option_number(&self->keyed, "retries") : RETRY_PATIENCE_TIMEOUTS;
    int64_t wait_ms = RETRY_BASE_MS;
    if (delay != NULL && !read_seconds(delay, &wait_ms)) {
        return keyed_refuse_option(&self->keyed, "retry_delay is a number of seconds, 3600 at most",
                                   error);
    }
    self->patience_ms = (int64_t)count * self->keyed.room.timeout_ms;
    for (uint64_t at = 0; at < count && (retries != NULL || delay != NULL); at++) {
        wait_ms = wait_ms < RETRY_DELAY_MAX_MS ? wait_ms : RETRY_DELAY_MAX_MS;
        self->patience_ms += wait_ms;
        wait_ms *= 2;
    }
    self->keyed.room.patience_ms = self->patience_ms;
    return STATUS_OK;
}

static enum status read_settings(struct cassandra *self, struct error *error)
{
    struct cassandra_settings *settings = &self->settings;
    enum cql_consistency consistency = CQL_LOCAL_QUORUM;
    const char *fallback = keyed_option(&self->keyed, "fallback");
    settings->replication =
        read_replication(self->keyed.arena, keyed_option(&self->keyed, "replication"));
    if (settings->replication == NULL) {
        return keyed_refuse_option(
            &self->keyed, "replication is a number of copies, or DC:NUMBER,DC:NUMBER", error);
    }
    if (!cql_consistency_find(keyed_option(&self->keyed, "consistency"), &consistency) ||
        (strcmp(fallback, "none") != 0 && !cql_consistency_find(fallback, &settings->fallback))) {
        return keyed_refuse_option(&self->keyed, "there is no such consistency", error);
    }
    settings->write_consistency = consistency;
    /* what only writes can have */
    settings->read_consistency = consistency == CQL_ANY           ? CQL_ONE
                                 : consistency == CQL_EACH_QUORUM ? CQL_QUORUM
                                                                  : consistency;
    settings->serial = CQL_SERIAL;
    settings->creates_keyspace = keyed_option_is_on(&self->keyed, "create");
    settings->counters_absent = strcmp(keyed_option(&self->keyed, "counters"), "absent") == 0;
    settings->keeps_times = keyed_option_is_on(&self->keyed, "times");
    settings->page_rows = (uint32_t)keyed_option_number(&self->keyed, "page_rows");
    settings->batch_rows = (uint32_t)keyed_option_number(&self->keyed, "batch_rows");
    settings->batch_bytes = (uint32_t)keyed_option_number(&self->keyed, "batch_bytes");
    return STATUS_OK;
}

/* Which nobody writes to but the servers. */
static bool is_servers_own(const char *keyspace)
{
    static const char *const own[] = {
        "system",       "system_schema",      "system_auth",          "system_traces",
        "system_views", "system_distributed", "system_virtual_schema"};
    bool found = false;
    for (size_t at = 0; at < sizeof(own) / sizeof(*own) && !found; at++) {
        found = strcasecmp(own[at], keyspace) == 0;
    }
    return found;
}

enum status cassandra_options_read(struct cassandra *self, const struct open_options *open,
                                   struct error *error)
{
    if (self->keyed.uri->path == NULL || self->keyed.uri->path[0] == '\0' ||
        strchr(self->keyed.uri->path, '/') != NULL) {
        error_set(error, ERROR_USAGE, self->keyed.uri->shown, "the URI names no keyspace");
        return error_hint(error, "write it behind the host: cassandra://HOST/KEYSPACE");
    }
    self->keyspace = self->keyed.uri->path;
    if (open->mode == OPEN_TARGET && is_servers_own(self->keyspace)) {
        error_set(error, ERROR_USAGE, self->keyed.uri->shown, "the keyspace %s is the servers' own",
                  self->keyspace);
        return error_hint(error, "name another one; ?create=true makes it");
    }
    if (read_nodes(self, error) != STATUS_OK || read_security(self, error) != STATUS_OK ||
        read_settings(self, error) != STATUS_OK || read_patience(self, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    read_login(self);
    self->service.records_max[KEYED_PUT] = self->settings.batch_rows;
    self->service.records_max[KEYED_UPDATE] = self->settings.batch_rows;
    self->service.records_max[KEYED_DELETE] = self->settings.batch_rows;
    self->service.request_bytes_max = self->settings.batch_bytes;
    self->keyed.room.in_flight_max = (uint32_t)keyed_option_number(&self->keyed, "connections");
    self->options.version_max = (uint8_t)keyed_option_number(&self->keyed, "protocol");
    self->options.compression = strcmp(keyed_option(&self->keyed, "compression"), "lz4") == 0;
    self->options.under_way_max = self->keyed.room.in_flight_max;
    self->options.request_timeout_ms = open->timeout_ms;
    self->options.connect_timeout_ms = open->timeout_ms < 5000 ? open->timeout_ms : 5000;
    return STATUS_OK;
}
