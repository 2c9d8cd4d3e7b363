package stacks

// logRetentions are the days that CloudWatch Logs accepts.
// Source: Amazon CloudWatch Logs API Reference, PutRetentionPolicy.
var logRetentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// maxBackupDays is how long RDS keeps automated backups. Source: Amazon RDS User Guide, "Backup retention period".
const maxBackupDays = 35
