/* Options of a URI: where the server is, TLS, who sends, how indexes are made. */
#include "connectors/opensearch/opensearch.h"

#include "base/secret.h"
#include "connectors/keyed/opening.h"
#include <stdlib.h>

enum { PORT_DEFAULT = 9200, TLS_PORT_DEFAULT = 443 };

static enum status read_place(struct opensearch_database *self,
                              struct opensearch_service_options *options, struct error *error)
{
    const char *host = self->keyed.uri->host != NULL && self->keyed.uri->host[0] != '\0'
                           ? self->keyed.uri->host
                           : "127.0.0.1";
    const char *wanted = keyed_option(&self->keyed, "tls");
    bool managed = options->aws_service != NULL;
    bool tls =
        strcmp(wanted, "yes") == 0 || (strcmp(wanted, "auto") == 0 && !http_host_is_loopback(host));
    bool v6 = strchr(host, ':') != NULL;
    unsigned port = self->keyed.uri->port != 0 ? self->keyed.uri->port
                    : managed                  ? TLS_PORT_DEFAULT
                                               : PORT_DEFAULT;
    const char *path = self->keyed.uri->path != NULL ? self->keyed.uri->path : "";
    if (strchr(path, '/') != NULL) {
        return keyed_refuse_option(
            &self->keyed, "what follows the host is one prefix for names of indexes", error);
    }
    self->prefix = opensearch_prefix_copy(self->keyed.arena, path);
    const char *fault = opensearch_prefix_fault(self->prefix);
    if (fault != NULL) {
        return keyed_refuse_option(&self->keyed, fault, error);
    }
    bool plain_port = managed && port == TLS_PORT_DEFAULT; /* as the server's own Host has it */
    options->url = plain_port
                       ? arena_format(self->keyed.arena, "https://%s", host)
                       : arena_format(self->keyed.arena, "%s://%s%s%s:%u", tls ? "https" : "http",
                                      v6 ? "[" : "", host, v6 ? "]" : "", port);
    options->plaintext_allowed = keyed_option_is_on(&self->keyed, "plaintext");
    options->ca_file = keyed_option(&self->keyed, "ca_file");
    return STATUS_OK;
}

static enum status read_login(struct opensearch_database *self,
                              struct opensearch_service_options *options, struct error *error)
{
    const char *key = keyed_option(&self->keyed, "api_key");
    const char *environment = getenv("OPENSEARCH_API_KEY");
    if (key == NULL && self->keyed.uri->user == NULL && environment != NULL &&
        environment[0] != '\0') {
        secret_register(environment, strlen(environment));
        key = environment;
    }
    options->aws_service = keyed_option(&self->keyed, "aws");
    if (options->aws_service != NULL && strcmp(options->aws_service, "no") == 0) {
        options->aws_service = NULL;
    }
    if (options->aws_service != NULL && strcmp(options->aws_service, "aoss") == 0) {
        return keyed_refuse_option(
            &self->keyed,
            "aws=aoss: serverless collections have neither refreshes nor points in time, "
            "and ids of documents are not always the sender's: they are no source and no "
            "target",
            error);
    }
    options->api_key = key;
    options->user = self->keyed.uri->user;
    options->password = self->keyed.uri->password;
    options->region = keyed_option(&self->keyed, "region");
    options->profile = keyed_option(&self->keyed, "profile");
    if ((key != NULL) + (self->keyed.uri->user != NULL) + (options->aws_service != NULL) > 1) {
        return keyed_refuse_option(
            &self->keyed,
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
    self->shards = keyed_option(&self->keyed, "shards");
    self->replicas = keyed_option(&self->keyed, "replicas");
    self->suspends = keyed_option_is_on(&self->keyed, "suspend");
    self->alias = keyed_option(&self->keyed, "alias");
    const char *fault = self->alias != NULL ? opensearch_alias_fault(self->alias) : NULL;
    if (fault != NULL) {
        return keyed_refuse_option(&self->keyed, fault, error);
    }
    self->keyed.room.in_flight_max = (uint32_t)keyed_option_number(&self->keyed, "requests");
    return STATUS_OK;
}
