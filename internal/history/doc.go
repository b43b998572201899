// Package history makes up the history of a cluster: records as procmond's
// sinks take them, of users who submit jobs of several kinds, for tests and
// benchmarks. One seed always gives the same records.
//
// The mix is named "cluster". What is drawn, and from what:
//
//   - Users and their favourite applications: Zipf. A handful make most runs.
//   - Kinds of jobs (see jobKinds): small ones, tasks of arrays, MPI jobs,
//     builds, and pipelines whose number of runs has a Pareto tail up to 50,000.
//   - Programs: shells and tools of milliseconds around a few applications of
//     minutes to days (log-normal), in versions that come and go with the years.
//   - Command lines: 15 % of the runs have a new one, of 65 bytes on average;
//     the others repeat one of their job or a common one.
//   - Days differ by their load, weekends are quieter; jobs of a host overlap.
//   - 4 % of the runs fail, and of one in a thousand the usage is not known.
//
// Runs of more than ten seconds are told at their start, every hour and at their
// end, as the daemon does, and jobs by a summary and by accounting when they are over.
//
// The package is for tests and internal commands only. It asks nothing but its seed.
package history
