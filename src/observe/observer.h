/*
 * The observer of a run: it hears every event of the log, keeps the registry of metrics and the
 * anomaly monitor, and hands them on: to events.jsonl, the textfile, the push gateway, StatsD, the
 * web server, the dashboard and those who are alerted.
 *
 * Each command that may take long has one; the engine says which run it observes. All functions
 * take NULL where no run is observed.
 */
#ifndef TRANSHUME_OBSERVE_OBSERVER_H
#define TRANSHUME_OBSERVE_OBSERVER_H

#include "base/error.h"
#include "observe/alert/alert_config.h"
#include "observe/dashboard/dashboard.h"
#include "observe/event/event_stream.h"
#include "observe/metric/run_metrics.h"

/* Who is to be told. Texts are borrowed for as long as the observer lives; NULL: nobody. */
struct observer_options {
    const char *metrics_address; /* web_server.h */
    const char *metrics_file;    /* for node_exporter, whose names end in .prom */
    const char *push_url;        /* of a Prometheus push gateway */
    const char *statsd_address;  /* net/address.h, UDP */
    /* dashboard/dashboard.h; its address NULL: none. What needs no token is answered by the
     * observer. Its certificate and its token of metrics are those of metrics_address, too. */
    struct dashboard_options dashboard;
    const struct alert_config *alerts; /* without receivers: nobody */
};

struct observer;

/* Listens from now on. What can't be reached is refused here. */
enum status observer_start(const struct observer_options *options, struct observer **observer,
                           struct error *error) MUST_USE;
/* The dashboard's URL with its token; NULL: there is none. */
const char *observer_dashboard_url(const struct observer *observer);
/* Stops; what it watched was left before. */
void observer_stop(struct observer *observer);

/* `progress` is read until observer_leave; what was watched before is left. */
void observer_watch(struct observer *observer, struct progress *progress);
/* The progress that it watches goes away: tells the last of it. Nothing to do if it watches
 * something else. */
void observer_leave(struct observer *observer, const struct progress *progress);
/* Says which run `progress` is of: series that carry its id begin here. Only the first call for a
 * progress counts. */
void observer_identify(struct observer *observer, const struct run_identity *identity);
/* The run has ended, after so many seconds. */
void observer_end(struct observer *observer, double seconds);
/* A validation found so many records of the table that are missing, different or extra; those of
 * several calls are added. */
void observer_count_mismatches(struct observer *observer, const char *table, uint64_t count);

/* Log and events go into the files of this folder from now on, to the log from LOG_DEBUG on. */
enum status observer_open_files(struct observer *observer, const char *log_file,
                                const char *event_file, struct error *error) MUST_USE;
void observer_close_files(struct observer *observer);

#endif
