/* The process in numbers, by proc(5) and getrusage(2). */
#include "observe/metric/process_metrics.h"

#include "base/clock.h"
#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

uint64_t process_resident_bytes(void)
{
    uint64_t pages = 0;
    uint64_t resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        if (fscanf(file, "%" SCNu64 " %" SCNu64, &pages, &resident) != 2) {
            resident = 0;
        }
        fclose(file);
    }
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static double read_resident(const void *context)
{
    uint64_t bytes = process_resident_bytes();
    (void)context;
    return bytes > 0 ? (double)bytes : NAN;
}

static double read_cpu(const void *context)
{
    struct rusage usage;
    (void)context;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double read_descriptors(const void *context)
{
    double count = 0;
    DIR *folder = opendir("/proc/self/fd");
    (void)context;
    if (folder == NULL) {
        return NAN;
    }
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count - 3; /* ".", ".." and the folder's own */
}

static void metric_process_metrics_add(struct metric_registry *registry, enum metric_type type,
                                       const char *name, const char *unit, const char *help,
                                       metric_reader reader)
{
    metric_series_add(metric_family_add(registry, type, name, unit, help), NULL, 0, reader, NULL);
}

void process_metrics_add(struct metric_registry *registry)
{
    metric_process_metrics_add(registry, METRIC_COUNTER, "process_cpu_seconds_total", "seconds",
                               "User and system processor time.", read_cpu);
    metric_process_metrics_add(registry, METRIC_GAUGE, "process_resident_memory_bytes", "bytes",
                               "Resident memory.", read_resident);
    metric_process_metrics_add(registry, METRIC_GAUGE, "process_open_fds", NULL,
                               "Open file descriptors.", read_descriptors);
    struct metric_family *start =
        metric_family_add(registry, METRIC_GAUGE, "process_start_time_seconds", "seconds",
                          "When the run began, as seconds since 1970.");
    atomic_store(metric_cell(start, NULL, 0), (uint64_t)(clock_utc_us() / 1000000));
}
