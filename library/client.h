/* What the files of libtranshume share. */
#ifndef TRANSHUME_LIBRARY_CLIENT_H
#define TRANSHUME_LIBRARY_CLIENT_H

#include "transhume.h"
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

enum { CLIENT_OUTPUT_BYTES_MAX = 64 << 20, CLIENT_LINE_BYTES_MAX = 1 << 20 };

/* Bytes that grow, always with a NUL behind them once there are any. */
struct client_text {
    char *bytes;
    size_t length;
    size_t capacity;
};
/* false: memory is out, or it would be longer than `length_max`; the text stays as it was. */
bool client_text_append(struct client_text *text, const char *bytes, size_t length,
                        size_t length_max);

struct transhume_result {
    enum transhume_status status;
    struct client_text out;
    json_t *json; /* what is in `out`, or {"error": …} of the library's own; NULL: no JSON */
};

/* The program at work. */
struct client_child {
    pid_t pid;
    int out; /* its standard output, to read from; -1: closed */
    int err;
};

/* Starts what the call says; 0, or the errno of the failure. */
int client_start(const struct transhume_call *call, const char *program,
                 struct client_child *child);
/* $TRANSHUME or the default, where the call says nothing. */
const char *client_program(const struct transhume_call *call);

/* Reports one line of the program's standard error; what the callback answered. */
int client_report_line(const struct transhume_call *call, const char *line);

/* Puts an error of the library's own into the result. */
void client_fail(struct transhume_result *result, enum transhume_status status, const char *code,
                 const char *object, const char *message, const char *hint);

#endif
