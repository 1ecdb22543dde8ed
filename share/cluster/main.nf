// SPDX-License-Identifier: Apache-2.0
// A depthlens run by Nextflow: @SHARDS@ shards, a task each, then the tables of the whole.
//   run      nextflow run main.nf             (on Slurm: add -process.executor slurm)
//   watch    @PROGRAM@ status @OUT@
//   again    nextflow run main.nf -resume   shards that are done are left alone, others go on where they were
//   check    @PROGRAM@ verify @OUT@
// The shards lie in one folder that all nodes see, not in the work folders of the tasks.

params.shards = @SHARDS@
params.command = '''@COMMAND_TEXT@'''
params.program = '''@PROGRAM_TEXT@'''
params.out = '''@OUT_TEXT@'''
params.folder = '''@FOLDER_TEXT@'''

process compute_shard {
    tag "${number}"
    cpus @THREADS@
    memory '@MEMORY@ MB'
    time '@MINUTES@ min'
    // Stopped (75), ended by a signal (128 and more), or gone without a word (the largest number): once more.
    errorStrategy { task.exitStatus in [75, 137, 138, 140, 143, 2147483647] ? 'retry' : 'finish' }
    maxRetries 100

    input:
    val number

    output:
    val number

    script:
    """
    cd -- ${params.folder}
    exec ${params.command} --shard ${number}/${params.shards}
    """
}

process merge_shards {
    cache false
    debug true

    input:
    val numbers

    script:
    """
    cd -- ${params.folder}
    ${params.program} merge ${params.out}
    """
}

workflow {
    compute_shard(channel.of(1..params.shards))
    merge_shards(compute_shard.out.collect())
}
