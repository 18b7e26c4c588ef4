/* Options of a URI, which bear the names that MongoDB's own clients know. */
#include "connectors/mongodb/mongodb.h"

#include "base/secret.h"
#include "base/text.h"
#include "connectors/keyed/opening.h"
#include "net/http.h"
#include <stdlib.h>

enum { POOL_CLIENTS_MAX = 256 };

const char *mongodb_option(const struct mongodb_database *self, const char *name)
{
    const char *value = keyed_option(&self->keyed, name);
    return value != NULL ? value : "";
}

static enum status mongodb_options_refuse(const struct mongodb_database *self, const char *what,
                                          const char *hint, struct error *error)
{
    error_set(error, ERROR_BAD_VALUE, self->keyed.uri->shown, "%s", what);
    return error_hint(error, "%s", hint);
}

/* ---------------------------------------------------------------- hosts */

static bool is_srv(const struct mongodb_database *self)
{
    return strcmp(self->keyed.uri->scheme, "mongodb+srv") == 0;
}

/* HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT, with commas between them. */
static void append_hosts(const struct mongodb_database *self, struct buffer *out)
{
    const char *hosts = self->keyed.uri->host != NULL && self->keyed.uri->host[0] != '\0'
                            ? self->keyed.uri->host
                            : "127.0.0.1";
    bool bare_ipv6 = strchr(hosts, ':') != NULL && strchr(hosts, ',') == NULL && hosts[0] != '[';
    buffer_format(out, bare_ipv6 ? "[%s]" : "%s", hosts);
    if (self->keyed.uri->port != 0) {
        buffer_format(out, ":%u", (unsigned)self->keyed.uri->port);
    }
}

static bool are_loopback(const mongoc_uri_t *uri)
{
    bool loopback = mongoc_uri_get_srv_hostname(uri) == NULL;
    for (const mongoc_host_list_t *host = mongoc_uri_get_hosts(uri); host != NULL;
         host = host->next) {
        loopback = loopback && (host->host[0] == '/' || http_host_is_loopback(host->host));
    }
    return loopback;
}

/* ---------------------------------------------------------------- security */

static enum status set_login(const struct mongodb_database *self, mongoc_uri_t *uri,
                             struct error *error)
{
    const char *password = self->keyed.uri->password;
    const char *environment = getenv("MONGODB_PASSWORD");
    const char *mechanism = mongodb_option(self, "authMechanism");
    if (password == NULL && environment != NULL && environment[0] != '\0' &&
        self->keyed.uri->user != NULL) {
        password = environment;
        secret_register(environment, strlen(environment));
    }
    bool good =
        (self->keyed.uri->user == NULL || mongoc_uri_set_username(uri, self->keyed.uri->user)) &&
        (password == NULL || mongoc_uri_set_password(uri, password)) &&
        (mechanism[0] == '\0' || mongoc_uri_set_auth_mechanism(uri, mechanism));
    const char *source = mongodb_option(self, "authSource");
    good = good && (source[0] == '\0' || mongoc_uri_set_auth_source(uri, source));
    return good ? STATUS_OK
                : mongodb_options_refuse(self,
                                         "the user, the password or how to log in can't be read",
                                         "`transhume connectors mongodb` lists the options", error);
}

/* In the clear the driver goes to this one host alone: members of a replica set tell of others. */
static enum status keep_on_this_machine(const struct mongodb_database *self, mongoc_uri_t *uri,
                                        struct error *error)
{
    static const char hint[] = "write ?tls=yes, or ?plaintext=yes to send all in the clear";
    const mongoc_host_list_t *hosts = mongoc_uri_get_hosts(uri);
    if (!are_loopback(uri)) {
        return mongodb_options_refuse(self, "without TLS only connections to this machine are made",
                                      hint, error);
    }
    if (mongodb_option(self, "replicaSet")[0] != '\0' || (hosts != NULL && hosts->next != NULL)) {
        return mongodb_options_refuse(
            self,
            "a replica set says itself where its members are, and without TLS only "
            "connections to this machine are made",
            hint, error);
    }
    (void)mongoc_uri_set_option_as_bool(uri, MONGOC_URI_DIRECTCONNECTION, true);
    return STATUS_OK;
}

static enum status set_security(const struct mongodb_database *self, mongoc_uri_t *uri,
                                struct error *error)
{
    static const struct {
        const char *option;
        const char *setting;
    } files[] = {{"tlsCAFile", MONGOC_URI_TLSCAFILE},
                 {"tlsCertificateKeyFile", MONGOC_URI_TLSCERTIFICATEKEYFILE}};
    const char *verify = mongodb_option(self, "verify");
    bool wanted = keyed_option_is_on(&self->keyed, "tls") || is_srv(self);
    for (size_t at = 0; at < sizeof(files) / sizeof(*files); at++) {
        const char *file = mongodb_option(self, files[at].option);
        if (file[0] != '\0') {
            wanted = true;
            (void)mongoc_uri_set_option_as_utf8(uri, files[at].setting, file);
        }
    }
    if (!wanted && !keyed_option_is_on(&self->keyed, "plaintext") &&
        keep_on_this_machine(self, uri, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    (void)mongoc_uri_set_option_as_bool(uri, MONGOC_URI_TLS, wanted);
    if (wanted && strcmp(verify, "authority") == 0) {
        (void)mongoc_uri_set_option_as_bool(uri, MONGOC_URI_TLSALLOWINVALIDHOSTNAMES, true);
    } else if (wanted && strcmp(verify, "none") == 0) {
        (void)mongoc_uri_set_option_as_bool(uri, MONGOC_URI_TLSINSECURE, true);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all of them */

/* Half of the deadline finds a server, half of it is for the answer. */
static void set_times(const struct mongodb_database *self, mongoc_uri_t *uri)
{
    int64_t half_ms = self->keyed.room.timeout_ms / 2;
    int32_t wait_ms = half_ms > INT32_MAX ? INT32_MAX : half_ms < 1 ? 1 : (int32_t)half_ms;
    (void)mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, wait_ms);
    (void)mongoc_uri_set_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS, wait_ms);
    (void)mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS, wait_ms);
    (void)mongoc_uri_set_option_as_int32(uri, MONGOC_URI_MAXPOOLSIZE, POOL_CLIENTS_MAX);
}

static enum status set_rest(const struct mongodb_database *self, mongoc_uri_t *uri,
                            struct error *error)
{
    const char *replica_set = mongodb_option(self, "replicaSet");
    const char *preference = mongodb_option(self, "readPreference");
    if (replica_set[0] != '\0' &&
        !mongoc_uri_set_option_as_utf8(uri, MONGOC_URI_REPLICASET, replica_set)) {
        return mongodb_options_refuse(self, "the name of the replica set can't be read",
                                      "`transhume connectors mongodb` lists the options", error);
    }
    bool direct = keyed_option_is_on(&self->keyed, "directConnection");
    const mongoc_host_list_t *hosts = mongoc_uri_get_hosts(uri);
    if (direct && (is_srv(self) || (hosts != NULL && hosts->next != NULL))) {
        return mongodb_options_refuse(self, "directConnection is of one host",
                                      "name that host alone", error);
    }
    (void)mongoc_uri_set_option_as_bool(uri, MONGOC_URI_DIRECTCONNECTION, direct);
    if (self->keyed.mode == OPEN_SOURCE && strcmp(preference, "secondary") == 0) {
        mongoc_read_prefs_t *chosen = mongoc_read_prefs_new(MONGOC_READ_SECONDARY_PREFERRED);
        mongoc_uri_set_read_prefs_t(uri, chosen);
        mongoc_read_prefs_destroy(chosen);
    }
    (void)mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYREADS, true);
    (void)mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYWRITES, true);
    (void)mongoc_uri_set_appname(uri, "transhume");
    set_times(self, uri);
    return STATUS_OK;
}

/* Names of databases have none of these bytes. */
static bool is_database_name(const char *name)
{
    return name != NULL && name[0] != '\0' && strlen(name) < 64 &&
           strpbrk(name, "/\\. \"$*<>:|?") == NULL;
}

static enum status make_uri(const struct mongodb_database *self, mongoc_uri_t **uri,
                            struct error *error)
{
    bson_error_t why;
    struct buffer text = {0};
    buffer_format(&text, "%s://", self->keyed.uri->scheme);
    append_hosts(self, &text);
    buffer_format(&text, "/%s", self->name);
    *uri = mongoc_uri_new_with_error(buffer_string(&text), &why);
    buffer_free(&text);
    return *uri != NULL
               ? STATUS_OK
               : mongodb_options_refuse(self, why.message,
                                        "it is written mongodb://HOST[:PORT][,HOST…]/DATABASE",
                                        error);
}

enum status mongodb_options_read(struct mongodb_database *self, mongoc_uri_t **uri,
                                 struct error *error)
{
    *uri = NULL;
    if (!is_database_name(self->keyed.uri->path)) {
        return mongodb_options_refuse(self, "the URI names no database, or one that can't be",
                                      "it is written mongodb://HOST[:PORT][,HOST…]/DATABASE",
                                      error);
    }
    self->name = self->keyed.uri->path;
    if (make_uri(self, uri, error) != STATUS_OK || set_rest(self, *uri, error) != STATUS_OK ||
        set_login(self, *uri, error) != STATUS_OK || set_security(self, *uri, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    self->page_documents = (uint32_t)keyed_option_number(&self->keyed, "page");
    self->keyed.room.in_flight_max = (uint32_t)keyed_option_number(&self->keyed, "requests");
    return STATUS_OK;
}
