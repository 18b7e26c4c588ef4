/* The dashboard for Grafana and the alert rules for Prometheus that the program carries with it. */
#ifndef TRANSHUME_OBSERVE_GRAFANA_H
#define TRANSHUME_OBSERVE_GRAFANA_H

#include "base/buffer.h"
#include "base/error.h"

/* dashboard.json and rules.yaml of this folder, as they are. */
extern const char grafana_dashboard[];
extern const char grafana_rules[];

/* The dashboard with its input, "${DS_PROMETHEUS}", replaced by the uid or name of a data source of
 * Grafana's. NULL: the input stays, and Grafana asks for it when somebody imports the file. */
void grafana_append_dashboard(const char *datasource, struct buffer *out);

/* Texts are borrowed. */
struct grafana_push {
    const char *url;        /* Grafana's own, "https://grafana.example.org", whatever its path */
    const char *token;      /* of a service account */
    const char *ca_file;    /* PEM certificates to trust instead of the system's; NULL: those */
    const char *datasource; /* NULL: a variable of the dashboard, Grafana's default at first */
};
/*
 * Makes the dashboard there, or replaces it. `out` gets the URL at which it is. A refusal is one
 * line with what Grafana says: ERROR_CREDENTIALS of the token, else ERROR_NETWORK_ANSWER.
 * https://grafana.com/docs/grafana/latest/developers/http_api/dashboard/
 */
enum status grafana_push(const struct grafana_push *push, struct buffer *out,
                         struct error *error) MUST_USE;

#endif
