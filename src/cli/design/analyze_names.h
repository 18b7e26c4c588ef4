/* analyze: the path by names, as its options have it, and what is told of it. */
#ifndef TRANSHUME_CLI_DESIGN_ANALYZE_NAMES_H
#define TRANSHUME_CLI_DESIGN_ANALYZE_NAMES_H

#include "cli/cli.h"
#include "design/design.h"

struct analyze_names {
    struct names_options options;
    bool is_asked; /* an option of it was given */
    bool renews;   /* clusters.yaml is not read */
    bool is_found; /* `clusters` is there */
    bool is_read;  /* from clusters.yaml */
    bool is_kept;  /* what clusters.yaml was is kept, or was read */
    const char *file;
    struct names names;
    struct names_clusters clusters;
    struct cluster_plane plane;
    struct names_relations relations;
    struct analysis_picture picture;
    struct buffer png;
    struct error failure; /* why there are no clusters */
};

enum { ANALYZE_STEPS = 6 };
/* "[1/6] what", unless --quiet. */
void analyze_step(const struct cli_call *call, unsigned number, const char *what);

/* From the call's options; `folder` is --out. */
enum status analyze_names_begin(struct cli_call *call, struct analyze_names *names,
                                const char *folder, struct error *error) MUST_USE;

/* Steps 3 and 4: vectors and clusters, adjusted. Without weights, or with too many columns, there
 * are none, and analyze_names_end tells why. STATUS_FAILED: of wrong options, or interrupted. */
enum status analyze_names_group(struct cli_call *call, struct analyze_names *names,
                                const struct graph *graph, const char *folder, struct buffer *notes,
                                struct error *error) MUST_USE;

/* Writes the files of it into `folder`, which is made, and gives the report its part. */
enum status analyze_names_write(struct cli_call *call, struct analyze_names *names,
                                const char *folder, struct analysis_options *options,
                                struct error *error) MUST_USE;

/* Tells why there are no clusters. The exit status: 1 if they were asked for. */
int analyze_names_end(struct cli_call *call, struct analyze_names *names);

#endif
