"""Options of `docker run` and `docker create` that a real one has besides, and what becomes of them here."""

from __future__ import annotations

import re

#: Accepted without effect: there is nothing of the kind to limit, or nobody to ask, in a lab.
IGNORED = """
      --blkio-weight uint              Block IO weight
      --blkio-weight-device list       Block IO weight of a device
      --cgroup-parent string           Parent of the cgroup
      --cpu-count int                  CPU count
      --cpu-percent int                CPU percent
      --cpu-period int                 Length of a scheduler period
      --cpu-quota int                  Share of a scheduler period
      --cpu-rt-period int              Real-time period
      --cpu-rt-runtime int             Real-time share
  -c, --cpu-shares int                 CPU weight
  -m, --memory string                  Memory limit
      --cpus string                    Number of CPUs
      --cpuset-cpus string             CPUs to run on
      --cpuset-mems string             Memory nodes
      --device-read-bps list           Limit of reading
      --device-read-iops list          Limit of reading
      --device-write-bps list          Limit of writing
      --device-write-iops list         Limit of writing
      --disable-content-trust          No verification of the image
      --health-interval duration       Time between checks
      --health-retries int             Failures before unhealthy
      --health-start-interval duration  Time between checks at the start
      --health-start-period duration   Time to start
      --health-timeout duration        Time for a check
      --kernel-memory string           Kernel memory limit
      --log-opt list                   Log driver option
      --memory-reservation string      Soft limit of memory
      --memory-swap string             Limit of memory and swap
      --memory-swappiness int          Swappiness
      --no-healthcheck                 No check of health
      --oom-kill-disable               No OOM killer
      --oom-score-adj int              OOM preference
      --pids-limit int                 Limit of processes
      --platform string                Set platform if server is multi-platform capable
      --shm-size string                Size of /dev/shm
      --ulimit ulimit                  Limits of a process
"""
#: Refused: they would change what the container is or sees.
REFUSED = """
      --annotation map                 Annotations for the runtime
      --cgroupns string                Cgroup namespace
      --device list                    Devices of the host
      --device-cgroup-rule list        Rules for devices
      --gpus string                    GPU devices
      --group-add list                 More groups
      --health-cmd string              Command to run to check health
      --io-maxbandwidth string         Windows only
      --io-maxiops uint                Windows only
      --ipc string                     IPC namespace
      --isolation string               Isolation technology
      --label-file list                Labels from a file
      --log-driver string              Logging driver for the container
      --mount list                     Attach a filesystem mount to the container
      --pid string                     PID namespace to use
      --read-only                      Mount the container's root filesystem as read only
      --runtime string                 Another runtime
      --security-opt list              Security options
      --storage-opt list               Options of the storage driver
      --tmpfs list                     Mount a tmpfs directory
      --use-api-socket                 The engine's socket in the container
  -u, --user string                    Username or UID
      --userns string                  User namespace
      --uts string                     UTS namespace to use
      --volume-driver string           Driver of volumes
      --volumes-from list              Volumes of another container
"""
REFUSED_NAMES = re.findall(r"--([\w-]+)", REFUSED)
