/* Text format 0.0.4 and OpenMetrics 1.0, which differ in the names of counters, in units and in the
 * end. */
#include "observe/metric/metric_text.h"

#include "base/file.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

struct writing {
    enum metric_format format;
    struct buffer *out;
};

static const char *type_name(enum metric_type type, enum metric_format format)
{
    bool open = format == METRIC_FORMAT_OPENMETRICS;
    switch (type) {
    case METRIC_COUNTER:
        return "counter";
    case METRIC_GAUGE:
        return "gauge";
    case METRIC_HISTOGRAM:
        return "histogram";
    case METRIC_INFO:
        return open ? "info" : "gauge";
    case METRIC_UNTYPED:
        break;
    }
    return open ? "unknown" : "untyped";
}

/* OpenMetrics names a family without what its samples end in. */
static size_t family_length(const struct metric_sample *sample, enum metric_format format)
{
    size_t length = strlen(sample->name);
    const char *end = sample->type == METRIC_COUNTER ? "_total"
                      : sample->type == METRIC_INFO  ? "_info"
                                                     : "";
    size_t cut = strlen(end);
    bool has_end = length > cut && strcmp(sample->name + length - cut, end) == 0;
    return format == METRIC_FORMAT_OPENMETRICS && has_end ? length - cut : length;
}

/* Label values and, without the quotes, help. */
static void append_escaped(struct buffer *out, const char *text, bool quotes)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\') {
            buffer_append_string(out, "\\\\");
        } else if (*text == '\n') {
            buffer_append_string(out, "\\n");
        } else if (*text == '"' && quotes) {
            buffer_append_string(out, "\\\"");
        } else {
            buffer_append_byte(out, *text);
        }
    }
}

static void append_number(struct buffer *out, double value)
{
    if (isinf(value)) {
        buffer_append_string(out, value < 0 ? "-Inf" : "+Inf");
    } else if (value == floor(value) && fabs(value) < 9007199254740992.0) {
        buffer_format(out, "%" PRId64, (int64_t)value);
    } else {
        buffer_format(out, "%.15g", value);
    }
}

static void append_head(const struct writing *writing, const struct metric_sample *sample)
{
    struct buffer *out = writing->out;
    bool open = writing->format == METRIC_FORMAT_OPENMETRICS;
    int length = (int)family_length(sample, writing->format);
    buffer_format(out, "# HELP %.*s ", length, sample->name);
    append_escaped(out, sample->help, open);
    buffer_format(out, "\n# TYPE %.*s %s\n", length, sample->name,
                  type_name(sample->type, writing->format));
    if (open && sample->unit != NULL) {
        buffer_format(out, "# UNIT %.*s %s\n", length, sample->name, sample->unit);
    }
}

/* `bound`: of a bucket, -1: none. */
static void append_labels(struct buffer *out, const struct metric_sample *sample,
                          const double *bound)
{
    if (sample->label_count == 0 && bound == NULL) {
        return;
    }
    buffer_append_byte(out, '{');
    for (uint32_t i = 0; i < sample->label_count; i++) {
        buffer_format(out, "%s%s=\"", i > 0 ? "," : "", sample->labels[i].name);
        append_escaped(out, sample->labels[i].value, true);
        buffer_append_byte(out, '"');
    }
    if (bound != NULL) {
        buffer_format(out, "%sle=\"", sample->label_count > 0 ? "," : "");
        append_number(out, *bound);
        buffer_append_byte(out, '"');
    }
    buffer_append_byte(out, '}');
}

static void append_sample(struct buffer *out, const struct metric_sample *sample, const char *end,
                          const double *bound, double value)
{
    buffer_format(out, "%s%s", sample->name, end);
    append_labels(out, sample, bound);
    buffer_append_byte(out, ' ');
    append_number(out, value);
    buffer_append_byte(out, '\n');
}

static void append_distribution(struct buffer *out, const struct metric_sample *sample)
{
    const struct metric_distribution *of = sample->of;
    const double infinite = INFINITY;
    uint64_t count = 0;
    for (uint32_t i = 0; i <= of->bound_count; i++) {
        count += of->counts[i];
        append_sample(out, sample, "_bucket", i < of->bound_count ? &of->bounds[i] : &infinite,
                      (double)count);
    }
    append_sample(out, sample, "_sum", NULL, of->sum);
    append_sample(out, sample, "_count", NULL, (double)count);
}

static void metric_text_append(void *context, const struct metric_sample *sample)
{
    const struct writing *writing = context;
    if (sample->first) {
        append_head(writing, sample);
    }
    if (sample->none) {
        return;
    }
    if (sample->of != NULL) {
        append_distribution(writing->out, sample);
    } else {
        append_sample(writing->out, sample, "", NULL, sample->value);
    }
}

void metric_append(struct metric_registry *registry, enum metric_format format, struct buffer *out)
{
    struct writing writing = {format, out};
    metric_registry_visit(registry, metric_text_append, &writing);
    if (format == METRIC_FORMAT_OPENMETRICS) {
        buffer_append_string(out, "# EOF\n");
    }
}

const char *metric_content_type(enum metric_format format)
{
    return format == METRIC_FORMAT_OPENMETRICS
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

enum metric_format metric_format_accepted(const char *accept)
{
    return accept != NULL && strstr(accept, "application/openmetrics-text") != NULL
               ? METRIC_FORMAT_OPENMETRICS
               : METRIC_FORMAT_TEXT;
}

enum status metric_write_file(struct metric_registry *registry, const char *path,
                              struct error *error)
{
    struct buffer text = {0};
    metric_append(registry, METRIC_FORMAT_TEXT, &text);
    enum status status = file_replace(path, text.data, text.length, NULL, error);
    buffer_free(&text);
    return status;
}
