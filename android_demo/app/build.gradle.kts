plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
}

android {
    namespace = "tinybert.demo"
    compileSdk = libs.versions.compileSdk.get().toInt()

    defaultConfig {
        applicationId = "tinybert.demo"
        minSdk = libs.versions.minSdk.get().toInt()
        targetSdk = libs.versions.targetSdk.get().toInt()
        versionCode = 1
        versionName = "1.0"
    }

    buildTypes {
        release {
            isMinifyEnabled = true
            isShrinkResources = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"))
        }
    }

    androidResources {
        noCompress += "tflite" // so that it can be mapped into memory
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_11
        targetCompatibility = JavaVersion.VERSION_11
    }

    testOptions {
        unitTests.isIncludeAndroidResources = true
    }
}

kotlin {
    compilerOptions {
        jvmTarget = org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_11
    }
}

dependencies {
    implementation(project(":library"))
    testImplementation(libs.junit)
    testImplementation(libs.litert)
    testImplementation(libs.robolectric)
}

val checkModel by tasks.registering {
    description = "Says how to make the model where it is missing; the app itself says it, too."
    val files = listOf("student.tflite", "vocab.txt", "labels.txt", "model_info.json").map { file("src/main/assets/$it") }
    doLast {
        val missing = files.filterNot { it.isFile }
        if (missing.isNotEmpty()) {
            logger.warn(
                """
                w: No model: ${missing.joinToString { it.name }} missing in app/src/main/assets. Make it, in the top folder:
                     python -m tinybert_tf.main --stage=export --model=runs/all/student --android_assets=${files[0].parent}
                """.trimIndent(),
            )
        }
    }
}

tasks.named("preBuild") {
    dependsOn(checkModel)
}
