"""Programs that no agent needs and that reach beyond the project, by what they would do."""

from collections.abc import Mapping

from orchestrator_tui.agents.command_rules import Rule, never

_REASONS = {
    "not allowed. Work inside the project, with its own files, as the user you are.": """
        sudo su doas pkexec runuser sudoedit visudo newgrp sg gosu setpriv capsh chroot nsenter unshare bwrap firejail
        proot fakeroot systemd-run machinectl login passwd chpasswd useradd usermod userdel groupadd chsh chown chgrp
        setcap setfacl chattr""",
    "the machine itself is left alone.": """
        shutdown reboot halt poweroff init telinit systemctl service launchctl loginctl journalctl dmesg mount umount
        losetup mkfs mkfs.ext4 mkfs.xfs mke2fs mkswap swapon swapoff fdisk parted sfdisk cryptsetup lvm modprobe insmod
        rmmod sysctl iptables nft ufw ip ifconfig route brctl mknod shred wipefs badblocks hdparm kexec update-rc.d
        update-alternatives ldconfig hwclock timedatectl hostnamectl
        defaults""",
    "nothing may start later, or outlive the command.": """
        crontab at batch atq atrm anacron setsid disown daemonize start-stop-daemon screen tmux dtach abduco watch entr
        watchexec coproc inotifywait parallel supervisord pm2 bg fg""",
    "no connections to other machines, and none for them to come in by.": """
        ssh ssh-keyscan scp sftp sshpass autossh mosh rsh rlogin rexec ssh-add ssh-agent ssh-copy-id sshfs nc ncat
        netcat nc.openbsd
        nc.traditional socat telnet ftp tftp lftp ncftp rclone ngrok cloudflared localtunnel bore frpc chisel torsocks
        proxychains mail mailx sendmail mutt msmtp swaks wall write talk nmap masscan tcpdump tshark dumpcap""",
    "credentials belong to the user. The work does not need them.": """
        gpg gpg2 gpgconf pass security keyring secret-tool op bw vault ssh-keygen kinit klist age sops
        docker-credential-helper git-credential""",
    "there is no terminal for it. Use the Read and Edit tools, or cat, head and tail.": """
        vi vim view vimdiff nvim gvim ex ed emacs emacsclient nano pico joe mcedit micro less more most lesspipe man
        info
        top htop btop glances dialog whiptail expect script scriptreplay zsh fish csh tcsh ksh mksh yash rbash pwsh
        powershell osascript ash""",
    "nothing may be opened outside of the terminal.": "open xdg-open start gio gnome-open sensible-browser pbcopy "
    "pbpaste",
    "other processes are left alone. End your own with `kill $!`, or use timeout.": "fuser skill snice xkill renice "
    "prlimit",
    "run the command itself, written out.": "eval alias unalias hash enable bind complete compgen dc pushd popd",
    "the environment is not shown. The work does not need it.": "printenv set-env history fc",
    "it could not be understood as the start of a command. Write one step a line.": """
        if then else elif fi for while until do done case esac select function in""",
    "it traces other processes. Run the tests instead.": "strace ltrace dtrace bpftrace perf ldd reptyr gcore uftrace",
}

FORBIDDEN_RULES: Mapping[str, Rule] = {
    name: never(reason) for reason, names in _REASONS.items() for name in names.split()
}
