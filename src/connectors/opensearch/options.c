/* Options of a URI: where the server is, TLS, who sends, how indexes are made. */
#include "connectors/opensearch/opensearch.h"

#include "base/secret.h"
#include "connectors/registry.h"
#include <stdlib.h>

enum { PORT_DEFAULT = 9200, TLS_PORT_DEFAULT = 443 };

static const char *option(const struct opensearch_database *self, const char *name)
{
    return uri_parameter(self->uri, &connector_opensearch, name);
}

static bool is_on(const struct opensearch_database *self, const char *name)
{
    const char *value = option(self, name);
    return value != NULL && (strcmp(value, "true") == 0 || strcmp(value, "yes") == 0);
}

static uint64_t number_of(const struct opensearch_database *self, const char *name)
{
    const char *text = option(self, name);
    uint64_t number = 0;
    return text != NULL && text_to_uint64(text, strlen(text), &number) == STATUS_OK ? number : 0;
}

static enum status opensearch_options_refuse(const struct opensearch_database *self,
                                             const char *what, struct error *error)
{
    error_set(error, ERROR_BAD_VALUE, self->uri->shown, "%s", what);
    return error_hint(error, "`transhume connectors opensearch` lists the options");
}

static enum status read_place(struct opensearch_database *self,
                              struct opensearch_service_options *options, struct error *error)
{
    const char *host =
        self->uri->host != NULL && self->uri->host[0] != '\0' ? self->uri->host : "127.0.0.1";
    const char *wanted = option(self, "tls");
    bool managed = options->aws_service != NULL;
    bool tls =
        strcmp(wanted, "yes") == 0 || (strcmp(wanted, "auto") == 0 && !http_host_is_loopback(host));
    bool v6 = strchr(host, ':') != NULL;
    unsigned port = self->uri->port != 0 ? self->uri->port
                    : managed            ? TLS_PORT_DEFAULT
                                         : PORT_DEFAULT;
    const char *path = self->uri->path != NULL ? self->uri->path : "";
    if (strchr(path, '/') != NULL) {
        return opensearch_options_refuse(
            self, "what follows the host is one prefix for names of indexes", error);
    }
    self->prefix = opensearch_prefix_copy(self->arena, path);
    const char *fault = opensearch_prefix_fault(self->prefix);
    if (fault != NULL) {
        return opensearch_options_refuse(self, fault, error);
    }
    bool plain_port = managed && port == TLS_PORT_DEFAULT; /* as the server's own Host has it */
    options->url = plain_port ? arena_format(self->arena, "https://%s", host)
                              : arena_format(self->arena, "%s://%s%s%s:%u", tls ? "https" : "http",
                                             v6 ? "[" : "", host, v6 ? "]" : "", port);
    options->plaintext_allowed = is_on(self, "plaintext");
    options->ca_file = option(self, "ca_file");
    return STATUS_OK;
}

static enum status read_login(struct opensearch_database *self,
                              struct opensearch_service_options *options, struct error *error)
{
    const char *key = option(self, "api_key");
    const char *environment = getenv("OPENSEARCH_API_KEY");
    if (key == NULL && self->uri->user == NULL && environment != NULL && environment[0] != '\0') {
        secret_register(environment, strlen(environment));
        key = environment;
    }
    options->aws_service = option(self, "aws");
    if (options->aws_service != NULL && strcmp(options->aws_service, "no") == 0) {
        options->aws_service = NULL;
    }
    if (options->aws_service != NULL && strcmp(options->aws_service, "aoss") == 0) {
        return opensearch_options_refuse(
            self,
            "aws=aoss: serverless collections have neither refreshes nor points in time, "
            "and ids of documents are not always the sender's: they are no source and no "
            "target",
            error);
    }
    options->api_key = key;
    options->user = self->uri->user;
    options->password = self->uri->password;
    options->region = option(self, "region");
    options->profile = option(self, "profile");
    if ((key != NULL) + (self->uri->user != NULL) + (options->aws_service != NULL) > 1) {
        return opensearch_options_refuse(
            self,
            "USER:PASSWORD, api_key and aws are three ways to say who sends: "
            "choose one",
            error);
    }
    return STATUS_OK;
}

enum status opensearch_options_read(struct opensearch_database *self,
                                    const struct open_options *open,
                                    struct opensearch_service_options *options, struct error *error)
{
    *options = (struct opensearch_service_options){
        .mode = open->mode, .timeout_ms = open->timeout_ms, .database = &self->keyed.base};
    if (read_login(self, options, error) != STATUS_OK ||
        read_place(self, options, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    self->shards = option(self, "shards");
    self->replicas = option(self, "replicas");
    self->suspends = is_on(self, "suspend");
    self->alias = option(self, "alias");
    const char *fault = self->alias != NULL ? opensearch_alias_fault(self->alias) : NULL;
    if (fault != NULL) {
        return opensearch_options_refuse(self, fault, error);
    }
    if (open->mode == OPEN_TARGET) {
        int64_t lease_ms = (int64_t)number_of(self, "lease") * 1000;
        int64_t least_ms = 2 * open->timeout_ms;
        self->keyed.base.lease_ms = lease_ms > least_ms ? lease_ms : least_ms;
    }
    self->keyed.room.in_flight_max = (uint32_t)number_of(self, "requests");
    return STATUS_OK;
}
